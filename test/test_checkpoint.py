"""Weights files: what goes in comes out, and what does not belong is refused by name."""

import json
from pathlib import Path

from conftest import make_tiny_network, TINY
import pytest
from safetensors.torch import load_file, save_file
import torch

from forecast_detector.checkpoint import CONFIG_KEY, find_weights, load_checkpoint, save_checkpoint
from forecast_detector.config import to_dict
from forecast_detector.types import WeightsError

WEIGHTS = Path(__file__).parents[1] / 'weights'


def test_round_trip_keeps_config_labels_provenance_and_weights(tiny_weights):
    checkpoint = load_checkpoint(tiny_weights)
    assert checkpoint.config == TINY
    assert checkpoint.info == {'licence': 'none', 'data': 'noise'}
    original = make_tiny_network().state_dict()
    for key, value in checkpoint.network.state_dict().items():
        assert torch.allclose(value.float(), original[key].float(), atol=2e-3, rtol=1e-3), key


def test_convolutions_are_stored_in_half_precision(tiny_weights):
    stored = load_file(tiny_weights)
    assert stored['head.regression.0.1.weight'].dtype == torch.float16
    assert stored['backbone.stages.0.1.running_var'].dtype == torch.float32


def test_a_missing_file_lists_what_is_shipped(tmp_path, monkeypatch):
    shipped = tmp_path / 'share' / 'forecast_detector' / 'weights'
    shipped.mkdir(parents=True)
    save_checkpoint(shipped / 'mine.safetensors', make_tiny_network())
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    assert find_weights('mine') == shipped / 'mine.safetensors'
    with pytest.raises(WeightsError, match=r"no file 'yours'.*mine"):
        load_checkpoint('yours')


def test_a_truncated_file_is_refused(tiny_weights, tmp_path):
    path = tmp_path / 'cut.safetensors'
    path.write_bytes(tiny_weights.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r'cut\.safetensors.*truncated'):
        load_checkpoint(path)


def test_foreign_weights_are_refused(tmp_path):
    path = tmp_path / 'foreign.safetensors'
    save_file({'x': torch.zeros(1)}, str(path))
    with pytest.raises(WeightsError, match='another program'):
        load_checkpoint(path)


@pytest.mark.parametrize('change, message', [
    ({'labels': ['cat', 'dog', 'bird']}, 'made for 2 classes, the file lists 3 labels'),
    # It is not replaced by a default.
    ({'scheduler_context': None}, "'scheduler_context'.*another version"),
], ids=['labels of another number', 'a setting that is missing'])
def test_settings_that_do_not_fit_the_tensors_are_refused(
    tiny_weights, tmp_path, change, message
):
    path = tmp_path / 'other.safetensors'
    config = {k: v for k, v in {**to_dict(TINY), **change}.items() if v is not None}
    save_file(load_file(tiny_weights), str(path), {CONFIG_KEY: json.dumps(config)})
    with pytest.raises(WeightsError, match=message):
        load_checkpoint(path)


def test_tensors_of_another_shape_are_named_in_one_line(tiny_weights, tmp_path):
    path = tmp_path / 'shape.safetensors'
    tensors = {**load_file(tiny_weights), 'scheduler.fc.bias': torch.zeros(3)}
    save_file(tensors, str(path), {CONFIG_KEY: json.dumps(to_dict(TINY))})
    with pytest.raises(WeightsError, match=r'scheduler\.fc\.bias is \(3,\).*\(2,\)') as caught:
        load_checkpoint(path)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('path', sorted(WEIGHTS.glob('*.safetensors')), ids=lambda p: p.stem)
def test_shipped_weights_load_and_say_their_licence(path):
    checkpoint = load_checkpoint(path)
    assert checkpoint.info['licence']
    assert checkpoint.info['data']


def test_provenance_that_is_not_text_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match='2024'):
        save_checkpoint(tmp_path / 'x.safetensors', make_tiny_network(), {'year': 2024})
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_not_taken_for_the_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match='no file'):
        find_weights('synthetic.onnx')
    assert find_weights('synthetic.safetensors') == find_weights('synthetic')


def test_tensors_that_are_missing_or_not_finite_are_named(tiny_weights, tmp_path):
    config = json.dumps(to_dict(TINY))
    tensors = load_file(tiny_weights)
    path = tmp_path / 'bad.safetensors'
    without = {k: v for k, v in tensors.items() if k != 'scheduler.fc.bias'}
    save_file(without, str(path), {CONFIG_KEY: config})
    with pytest.raises(WeightsError, match=r'1 tensors are missing.*scheduler\.fc\.bias'):
        load_checkpoint(path)
    tensors['scheduler.fc.bias'] = torch.tensor([0.0, float('nan')])
    save_file(tensors, str(path), {CONFIG_KEY: config})
    with pytest.raises(WeightsError, match='NaN'):
        load_checkpoint(path)
