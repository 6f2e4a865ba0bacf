"""YOLOX: shapes and sizes as published, and behind the engine's seam."""

from dataclasses import replace
import math

import numpy as np
import pytest
from stream_samples import live_and_stored
import torch
from yolox_samples import make_detector, make_yolox, MovingNoise, outputs, pictures, SMALL

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.model.fuse import fuse_norms
from forecast_detector.model.yolox.config import SIZES, YoloxConfig
from forecast_detector.model.yolox.head import Raw
from forecast_detector.model.yolox.network import YoloxNetwork
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.types import Action, Frame, Policy

EIGHTY = tuple(map(str, range(80)))
# Ge et al. 2021 and its repository, millions, with the 80 classes of COCO.
PUBLISHED = {'nano': 0.91, 'tiny': 5.06, 's': 9.0, 'm': 25.3, 'l': 54.2, 'x': 99.1}


@pytest.mark.parametrize('size', SIZES)
def test_every_size_has_as_many_parameters_as_published(size):
    depth, width, depthwise = SIZES[size]
    with torch.device('meta'):
        network = YoloxNetwork(YoloxConfig(EIGHTY, depth, width, depthwise))
        raw = network.detect(network.read(torch.zeros(1, 3, 64, 96)))
    millions = sum(one.numel() for one in network.parameters()) / 1e6
    assert millions == pytest.approx(PUBLISHED[size], abs=0.06 if size != 'nano' else 0.006)
    assert [tuple(one.classes.shape) for one in raw] == [
        (1, 80, 8, 12), (1, 80, 4, 6), (1, 80, 2, 3)]
    assert [one.boxes.shape[1] + one.objects.shape[1] for one in raw] == [5, 5, 5]


@pytest.mark.parametrize('size', [(32, 32), (96, 64), (64, 160)])
def test_inputs_are_any_multiples_of_32(size):
    network = make_yolox()
    given = outputs(network, pictures(2, size))
    cells = sum(size[0] * size[1] // stride**2 for stride in (8, 16, 32))
    assert given.shape == (2, cells, 7)
    boxes = network.decoding(size).boxes(
        network.detect(network.read(pictures(1, size))), torch.zeros(cells, dtype=torch.long),
        torch.arange(cells))
    assert boxes.shape == (cells, 4) and (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize('classes', [1, 3])
def test_any_number_of_classes(classes):
    network = make_yolox(labels=tuple('abc'[:classes]))
    assert outputs(network, pictures()).shape[-1] == 5 + classes


def test_a_box_is_decoded_from_its_cell():
    network = make_yolox()
    raw = [Raw(torch.full((1, 2, *side), -9.0), torch.zeros(1, 4, *side),
               torch.zeros(1, 1, *side)) for side in ((8, 12), (4, 6), (2, 3))]
    # Row 1, column 2 at stride 16: half a cell on, twice as wide and as high as a cell.
    raw[1].boxes[0, :, 1, 2] = torch.tensor([0.5, 0.25, math.log(2), 0.0])
    raw[1].classes[0, :, 1, 2] = torch.tensor([0.0, math.log(3)])
    candidate = 96 + 1 * 6 + 2
    decoding = network.decoding((64, 96))
    box = decoding.boxes(tuple(raw), torch.tensor([0]), torch.tensor([candidate]))
    torch.testing.assert_close(box, torch.tensor([[40 - 16, 20 - 8, 40 + 16, 20 + 8.0]]))
    scores = decoding.scores(tuple(raw))
    assert scores.shape == (1, 96 + 24 + 6, 2)
    # Objectness times the better class; the other is left out.
    torch.testing.assert_close(scores[0, candidate], torch.tensor([0.0, 0.5 * 0.75]))


def test_f_holds_boxes_and_objects_and_what_classes_are_made_of():
    network = make_yolox()
    maps = network.read(pictures()).maps
    assert {one.shape[1] for one in maps} == {network.config.map_channels}
    for level, (one, raw) in enumerate(zip(maps, network.detect(network.read(pictures())))):
        torch.testing.assert_close(one[:, -5:], torch.cat([raw.boxes, raw.objects], 1))
        torch.testing.assert_close(network.head.cls_preds[level](one[:, :-5]), raw.classes)


@pytest.mark.parametrize('depthwise', [False, True])
def test_folded_norms_change_nothing(depthwise):
    network = make_yolox(depthwise=depthwise)
    fused = fuse_norms(network)
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in fused.modules())
    torch.testing.assert_close(
        outputs(fused, pictures()), outputs(network, pictures()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    'changes', [{}, {'correction': 8, 'scheduler': 8}])
def test_weights_come_back_as_they_were(changes, tmp_path):
    network = make_yolox(**changes)
    save_checkpoint(tmp_path / 'w.safetensors', network, {'data': 'noise'}, half=False)
    loaded = load_checkpoint(tmp_path / 'w.safetensors')
    assert loaded.config == network.config == replace(SMALL, **changes)
    written = network.state_dict()
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, written[name]) or 'num_batches' in name


def test_settings_out_of_range_are_refused():
    for change, message in (
        ({'input_size': (64, 60)}, 'multiples of 32'), ({'labels': ()}, 'at least one class'),
        ({'labels': ('a', 'a')}, 'distinct'), ({'width': 0.0}, 'above 0'),
        ({'peek': 0}, 'none of 2 and 4'),
        ({'trust': 1.0}, 'between 0 and 1'),
    ):
        with pytest.raises(ValueError, match=message):
            replace(SMALL, **change)


def frames(clip):
    return [Frame.from_array(clip.read(k), k * 10**8) for k in range(len(clip))]


def settings(p=0.8, **changes):
    return evaluation_config(Policy.SCHEDULER, p, **changes)


def test_f_moves_along_with_the_picture(tmp_path):
    clip = MovingNoise(length=4, shift=(8, 0), size=(128, 192))
    detector = make_detector(tmp_path, settings(0.5), input_size=(128, 192))
    seen = [detector.step({'a': one})['a'] for one in frames(clip)]
    assert [one.decision.action for one in seen] == [Action.READ] + 3 * [Action.FORECAST]
    first = detector.variant()
    first.step({'a': frames(clip)[0]})
    # Three frames on: three cells at stride 8. What came in at the left border is not known.
    held, moved = first.memory('a').features.maps[0], detector.memory('a').features.maps[0]
    kept = (..., slice(2, -2), slice(5, -2))
    shifted = torch.roll(held, 3, dims=-1)[kept]
    error = (moved[kept] - shifted).abs().mean()
    assert error < 0.35 * (moved[kept] - held[kept]).abs().mean()


def test_without_a_scheduler_frames_are_read_at_even_distances(tmp_path):
    clip = MovingNoise(length=9, shift=(2, 0))
    detector = make_detector(tmp_path, settings())
    actions = [detector.step({'a': one})['a'].decision.action for one in frames(clip)]
    # 0.93 to the third is above 0.8, to the fourth it is below.
    assert [k for k, action in enumerate(actions) if action is Action.READ] == [0, 4, 8]
    for p, reads in ((1.0, 9), (0.0, 1)):
        detector.reset()
        detector.config = settings(p)
        again = [detector.step({'a': one})['a'].decision.action for one in frames(clip)]
        assert again.count(Action.READ) == reads


def test_a_cut_is_read_at_once(tmp_path):
    clip = MovingNoise(length=5, shift=(2, 0), cut=2)
    detector = make_detector(tmp_path, settings(0.01))
    actions = [detector.step({'a': one})['a'].decision.action.name for one in frames(clip)]
    assert actions == ['READ', 'FORECAST', 'READ', 'FORECAST', 'FORECAST']


def close(one, other):
    assert one.decision.action is other.decision.action
    assert len(one.detections) == len(other.detections) > 0
    np.testing.assert_allclose(one.detections.scores, other.detections.scores, atol=1e-5)


@pytest.mark.parametrize('changes', [{}, {'correction': 8, 'scheduler': 8}],
                         ids=['moved', 'corrected'])
def test_streams_in_one_batch_are_as_alone(changes, tmp_path):
    clips = [MovingNoise('a', shift=(3, 1)), MovingNoise('b', shift=(0, 4), cut=3)]
    together = make_detector(tmp_path, settings(), **changes)
    alone = [together.variant() for _ in clips]
    for pair in zip(*map(frames, clips)):
        batch = together.step(dict(zip('ab', pair)))
        for name, frame, detector in zip('ab', pair, alone):
            close(batch[name], detector.step({name: frame})[name])


@pytest.mark.parametrize('policy', ['scheduler', 'alternate', 'copy', 'read'])
def test_stored_features_answer_as_live_images(policy, tmp_path):
    clips = [MovingNoise('a', 7, (3, 1)), MovingNoise('b', 6, (0, 4), cut=3)]
    detector = make_detector(tmp_path, settings(), correction=8)
    direct, stored = live_and_stored(policy, detector, clips, 0.8)
    for one, other in zip(direct, stored):
        assert len(one.steps) == len(other.steps) > 0
        for a, b in zip(one.steps, other.steps):
            assert (a.action, a.reason) == (b.action, b.reason)
            np.testing.assert_allclose(
                np.sort(a.detections.scores), np.sort(b.detections.scores), atol=1e-3)


def test_the_next_frame_is_anticipated(tmp_path):
    clip = MovingNoise(length=3, shift=(8, 0))
    detector = make_detector(tmp_path, settings(0.0))
    for frame in frames(clip)[:2]:
        detector.step({'a': frame})
    before = detector.memory('a').features.maps[0].clone()
    assert len(detector.anticipate('a')) > 0
    assert torch.equal(detector.memory('a').features.maps[0], before)
    forgetful = detector.variant()
    forgetful.config = StreamConfig(p=1.0, score_threshold=0.0)
    forgetful.step({'a': frames(clip)[0]})
    assert len(forgetful.anticipate('a')) > 0
