"""Peeks: forecasts that a thumbnail corrects; and the network without forecasts."""

from dataclasses import replace
import math

from conftest import make_tiny_network, TINY
import numpy as np
import pytest
from test_streaming import actions, clip, EVERYTHING, FRAME_NS, noise, step_one
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.config import ModelConfig, StreamConfig
from forecast_detector.model.network import ForecastNetwork
from forecast_detector.streaming import StreamingDetector
from forecast_detector.types import Action, Frame, Policy, StepFailure

FORECASTS = EVERYTHING.replace(policy=Policy.ALTERNATE, read_every=100)


def make_detector(folder, peek):
    network = make_tiny_network(peek=peek)
    with torch.no_grad():
        network.peek.project.weight.normal_(std=0.3)
    save_checkpoint(folder / 'peek.safetensors', network)
    return StreamingDetector(load_checkpoint(folder / 'peek.safetensors'), FORECASTS, 'cpu')


@pytest.fixture(params=[2, 4])
def detector(tmp_path, request):
    return make_detector(tmp_path, request.param)


@pytest.mark.parametrize('peek', [2, 4])
def test_a_look_has_the_cells_of_f(peek):
    network = ForecastNetwork(replace(TINY, peek=peek))
    look = network.look(torch.zeros(2, 3, 64 // peek, 96 // peek))
    assert look.shape == (2, network.look_channels, 2, 3)


def test_an_untrained_peek_leaves_the_forecast_as_it_is():
    network = ForecastNetwork(replace(TINY, peek=4))
    forecast, looks = torch.randn(1, 16, 2, 3), torch.randn(2, 1, network.look_channels, 2, 3)
    features, _ = network.glance(forecast, forecast, looks[0], looks[1])
    assert torch.equal(features, forecast)


def test_a_forecast_sees_what_its_thumbnail_shows(detector):
    step_one(detector, clip(1)[0])
    memory = detector.memory('camera')
    answers = []
    for seed in (1, 2):
        detector.restore('camera', memory)
        frame = Frame(FRAME_NS, lambda seed=seed: noise(seed), (96, 64))
        answers.append(step_one(detector, frame))
    assert actions(answers) == [Action.FORECAST] * 2
    assert not np.array_equal(answers[0].detections.scores, answers[1].detections.scores)


def test_the_scheduler_judges_every_frame_but_the_first(detector):
    detector.config = EVERYTHING
    confidences = [step_one(detector, frame).decision.confidence for frame in clip(4)]
    assert math.isnan(confidences[0])
    assert all(0 <= c <= 1 for c in confidences[1:])


def test_a_forecast_with_a_bad_image_fails_alone(detector):
    first, second, third = clip(3)
    step_one(detector, first)
    whole = step_one(detector, second)
    detector.forget('camera')
    step_one(detector, first)
    bad = Frame(FRAME_NS // 2, lambda: np.zeros((0, 0, 3), np.uint8), (96, 64))
    results = detector.step({'camera': bad, 'other': third})
    assert isinstance(results['camera'], StepFailure)
    assert 'at least one pixel' in str(results['camera'].error)
    assert results['other'].decision.action is Action.READ
    again = step_one(detector, second)
    assert again.decision.confidence == whole.decision.confidence
    np.testing.assert_array_equal(again.detections.scores, whole.detections.scores)


def test_a_batch_gives_what_its_streams_give_alone(detector):
    streams = {name: clip(4, seed) for seed, name in enumerate(('left', 'right'), 1)}
    together = [
        detector.step({name: frames[t] for name, frames in streams.items()}) for t in range(4)
    ]
    for name, frames in streams.items():
        alone = [step_one(detector, frame, f'{name} alone') for frame in frames]
        for both, one in zip(together, alone):
            np.testing.assert_allclose(both[name].detections.scores, one.detections.scores,
                                       rtol=1e-4)
            assert both[name].decision.action is one.decision.action


def test_a_new_size_starts_the_stream_anew(detector):
    step_one(detector, Frame(0, lambda: noise(0), None))
    result = step_one(detector, Frame(FRAME_NS, lambda: noise(1, (48, 32)), None))
    assert result.decision.action is Action.READ
    assert 'image size changed from (96, 64) to (48, 32)' in result.decision.reason_detail


def test_the_recurrent_detector_reads_every_frame(tmp_path):
    path = tmp_path / 'recurrent.safetensors'
    save_checkpoint(path, make_tiny_network(combination='recurrent'))
    detector = StreamingDetector(load_checkpoint(path), StreamConfig(p=0.0), 'cpu')
    results = [step_one(detector, frame) for frame in clip(3)]
    assert actions(results) == [Action.READ] * 3
    assert results[1].decision.confidence == 0


@pytest.mark.parametrize('changes, words', [
    ({'peek': 3}, 'peek: 3 is none of'),
    ({'peek': 4, 'combination': 'recurrent'}, 'leave one out'),
])
def test_peeks_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        ModelConfig(('a',), **changes)
