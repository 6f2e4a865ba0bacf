"""A finer map beside that at stride 32: folded into F, forecast, moved and detected on."""

from dataclasses import replace
import json

from conftest import make_tiny_network, TINY
import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.config import model_config_from_dict, to_dict
from forecast_detector.engine.recurrence import advance
from forecast_detector.model.motion import move
from forecast_detector.model.strides import fold, unfold
from forecast_detector.training.config import TrainConfig
from forecast_detector.training.end_to_end import read_clips
from forecast_detector.training.recipes import DetectorRecipe

FINE = {'fine_channels': 8, 'extra_channels': (16, 16, 16)}


def make_fine_network(**changes):
    return make_tiny_network(**{**FINE, **changes})


def test_folding_lays_a_cells_four_finer_cells_into_its_channels():
    fine, coarse = torch.randn(2, 3, 4, 6), torch.randn(2, 5, 2, 3)
    folded = fold([fine, coarse])
    assert folded.shape == (2, 5 + 4 * 3, 2, 3)
    assert torch.equal(folded[:, :5], coarse)
    # Channel 0 of the finer map: its cells (2, 4), (2, 5), (3, 4), (3, 5) are in cell (1, 2).
    assert torch.equal(folded[0, 5:9, 1, 2], fine[0, 0, 2:4, 4:6].flatten())
    back = unfold(folded, 5)
    assert torch.equal(back[0], fine)
    assert torch.equal(back[1], coarse)
    assert unfold(coarse, 5) == [coarse]


def test_the_finer_map_is_read_forecast_and_detected_on():
    network = make_fine_network()
    images = torch.randint(0, 256, (1, 3, 64, 96)).float()
    with torch.inference_mode():
        features = network.read(images)
        assert features.shape == (1, 16 + 4 * 8, 2, 3)
        output = network.detect(features)
        assert advance(network, features).forecast.shape == features.shape
        anchors = network.anchors((64, 96))
        assert output.bbox_regression.shape == (1, len(anchors), 4)
        # The first level has the anchors of 4 x 6 cells and depends on the finer map alone.
        level = 4 * 6 * TINY.anchors.per_cell(0)
        other = features.clone()
        other[:, 16:] += 1
        seen, changed = network.detect(features), network.detect(other)
    assert not torch.equal(seen.cls_logits[:, :level], changed.cls_logits[:, :level])
    assert torch.equal(seen.cls_logits[:, level:], changed.cls_logits[:, level:])
    centres = anchors[:level, :2].unique(dim=0)
    assert len(centres) == 4 * 6 * TINY.anchors.subdivisions[0] ** 2


def test_what_the_coarse_map_knows_reaches_the_finer_one():
    network = make_fine_network()
    stage, coarse = torch.zeros(1, 112, 4, 6), torch.zeros(1, 16, 2, 3)
    other = coarse.clone()
    other[0, :, 1, 2] = 3.0
    with torch.inference_mode():
        differs = (network.fine_neck(stage, coarse) != network.fine_neck(stage, other)).any(1)[0]
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[2:, 4:] = True
    assert torch.equal(differs, expected)


def test_a_peek_moves_each_map_at_its_own_stride():
    network = make_fine_network(peek=4, input_size=(128, 128))
    forecast = torch.randn(1, 16 + 4 * 8, 4, 4)
    # Half a cell at stride 32 is a whole one at stride 16.
    shift = torch.tensor([[0.125, 0.0]])
    with torch.inference_mode():
        fine, coarse = unfold(network.peek.move(forecast, shift), 16)
    was_fine, was_coarse = unfold(forecast, 16)
    assert torch.allclose(fine[..., 1:], was_fine[..., :-1], atol=1e-5)
    assert torch.allclose(coarse, move(was_coarse, shift))


def test_training_reads_the_same_features_with_and_without_recomputing():
    network = make_fine_network()
    clips = torch.randint(0, 256, (2, 3, 3, 64, 96), dtype=torch.uint8)
    whole, parts = read_clips(network, clips, 0), read_clips(network, clips, 2)
    assert whole.shape == (2, 3, 48, 2, 3)
    assert torch.allclose(whole, parts, atol=1e-5)
    parts.sum().backward()
    assert network.fine_neck.lateral[0].weight.grad.abs().sum() > 0
    with torch.inference_mode():
        assert torch.allclose(whole[0, 1], network.read(clips[0, 1:2])[0], atol=1e-4)


def test_weights_from_before_there_was_a_finer_map_are_read(tmp_path):
    values = json.loads(json.dumps(to_dict(TINY)))
    del values['fine_channels']
    assert model_config_from_dict(values) == TINY
    network = make_fine_network()
    save_checkpoint(tmp_path / 'fine.safetensors', network)
    assert load_checkpoint(tmp_path / 'fine.safetensors').config == network.config


def test_levels_and_frozen_stages_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match='anchors has 5 levels; the head has 6: 2 of F'):
        replace(TINY, fine_channels=8)
    model = replace(TINY, **FINE)
    with pytest.raises(ValueError, match='frozen_stages: 7; .* at most that many'):
        TrainConfig('fine', model, detector=DetectorRecipe(frozen_stages=7))
