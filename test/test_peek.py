"""Peeks: forecasts that a thumbnail corrects; and the network without forecasts."""

from dataclasses import replace
import math

from conftest import make_tiny_network, TINY
import numpy as np
import pytest
from stream_samples import actions, clip, EVERYTHING, FRAME_NS, noise, step_one
import torch

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.config import ModelConfig, StreamConfig
from forecast_detector.data.synthetic import SyntheticWorld
from forecast_detector.engine import StreamingDetector
from forecast_detector.model.motion import move, phase_correlation
from forecast_detector.model.network import ForecastNetwork
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
def test_a_preview_has_the_cells_of_f(peek):
    network = ForecastNetwork(replace(TINY, peek=peek))
    preview = network.preview(torch.zeros(2, 3, 64 // peek, 96 // peek))
    assert preview.shape == (2, network.preview_channels, 2, 3)


def textured(height, width):
    """Make a picture wider and higher than asked for, smooth enough for parts of a pixel."""
    noise = torch.randn(1, 1, (height + 40) // 4, (width + 40) // 4)
    return torch.nn.functional.interpolate(noise, scale_factor=4, mode='bicubic')[0, 0]


@pytest.mark.parametrize('dx, dy', [(0, 0), (5, -3), (-9, 4)])
def test_phase_correlation_finds_the_shift(dx, dy):
    ground = textured(80, 120)
    before = ground[20:100, 20:140]
    now = ground[20 - dy:100 - dy, 20 - dx:140 - dx]
    shift = phase_correlation(torch.stack([before, before]), torch.stack([now, before]))
    found = shift * torch.tensor([120, 80])
    assert found[0].tolist() == pytest.approx([dx, dy], abs=0.3)
    assert found[1].tolist() == pytest.approx([0, 0], abs=0.01)


def test_padding_does_not_hold_the_picture_back():
    ground = textured(40, 120)
    before, now = torch.zeros(2, 80, 120)
    before[20:60], now[20:60] = ground[10:50, 20:140], ground[10:50, 12:132]
    shift = phase_correlation(before[None], now[None]) * torch.tensor([120, 80])
    assert shift[0].tolist() == pytest.approx([8, 0], abs=0.3)


@pytest.mark.parametrize('before, now', [
    (torch.zeros(1, 80, 80), torch.zeros(1, 80, 80)),
    (torch.zeros(1, 80, 80), torch.randn(1, 80, 80)),
    (torch.randn(1, 80, 80), torch.randn(1, 80, 80)),
])
def test_pictures_with_nothing_in_common_do_not_move(before, now):
    assert phase_correlation(before, now).tolist() == [[0, 0]]


def test_maps_move_by_whole_cells():
    maps = torch.arange(24.0).view(1, 1, 4, 6)
    moved = move(maps, torch.tensor([[2 / 6, -1 / 4]]))
    torch.testing.assert_close(moved[:, :, :-1, 2:], maps[:, :, 1:, :-2])
    torch.testing.assert_close(moved[0, 0, 0, :2], maps[0, 0, 1, :1].expand(2))


def test_an_untrained_peek_moves_the_forecast_along():
    network = ForecastNetwork(replace(TINY, peek=4, input_size=(320, 320)))
    forecast = torch.randn(1, 16, 10, 10)
    ground = (textured(80, 80).clamp(-2, 2) * 60 + 127).byte()
    before, now = (
        ground[None, 20:100, left:left + 80].expand(3, -1, -1)[None] for left in (20, 12)
    )
    previews = network.preview(before), network.preview(now)
    features, _ = network.correct(forecast, previews[1], previews[0])
    moved = move(forecast, torch.tensor([[8 / 80, 0]]))
    assert (features - moved).abs().mean() < 0.1 * (forecast - moved).abs().mean()
    still, _ = network.correct(forecast, previews[0], previews[0])
    torch.testing.assert_close(still, forecast, atol=1e-3, rtol=1e-3)


def test_motion_of_the_camera_is_no_surprise_but_a_new_object_is():
    network = ForecastNetwork(replace(TINY, peek=4, input_size=(320, 320)))
    ground = (textured(80, 80).clamp(-2, 2) * 60 + 127).byte()
    before, moved = (
        ground[None, 20:100, left:left + 80].expand(3, -1, -1)[None] for left in (20, 12)
    )
    entered, cut = moved.clone(), moved.flip(2, 3)
    entered[:, :, 34:38, 50:54] = 255
    forecast = torch.randn(1, 16, 10, 10)
    seen = [
        network.correct(forecast, network.preview(now), network.preview(before))[1][0]
        for now in (moved, entered, cut)
    ]
    inner = [surprise[:, 1:-1, 2:-1].mean() for surprise in seen]
    assert inner[2] > 5 * inner[0]
    new = (seen[1] - seen[0])[1]
    assert int(new.argmax()) == 4 * 10 + 6


def test_an_untrained_peek_goes_on_as_the_picture_moved():
    network = ForecastNetwork(replace(TINY, peek=4, input_size=(320, 320)))
    ground = (textured(80, 120).clamp(-2, 2) * 60 + 127).byte()
    before, now, later = (
        network.preview(ground[None, :80, left:left + 80].expand(3, -1, -1)[None])
        for left in (36, 28, 20)
    )
    forecast = torch.randn(1, 16, 10, 10)
    seen, _ = network.correct(forecast, later, now)
    expected = network.extrapolate(forecast, now, before)
    assert (expected - seen).abs().mean() < 0.1 * (forecast - seen).abs().mean()


def test_a_forecast_sees_what_its_thumbnail_shows(detector):
    answers = []
    for seed in (1, 2):
        stream = f'camera {seed}'
        step_one(detector, clip(1)[0], stream)
        frame = Frame(FRAME_NS, lambda seed=seed: noise(seed), (96, 64))
        answers.append(step_one(detector, frame, stream))
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
    ({'peek': 3}, 'peek: 3 is not one of 0, 2, 4'),
    ({'peek': 4, 'combination': 'recurrent'}, 'set peek: 0'),
])
def test_peeks_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        ModelConfig(('a',), **changes)


def test_the_shipped_scheduler_reads_at_a_cut():
    checkpoint = load_checkpoint('synthetic')
    cut, length = 8, 12
    decisions = []
    for seed in range(3):
        detector = StreamingDetector(checkpoint, StreamConfig(p=0.5), 'cpu')
        world = SyntheticWorld(9_000_000 + seed, length, (256, 192), cut_every=cut)
        decisions.append([
            step_one(detector, world.frame(index)).decision for index in range(length)
        ])
    assert all(stream[cut].action is Action.READ for stream in decisions)
    at_cuts = [stream[cut].confidence for stream in decisions]
    elsewhere = [d.confidence for stream in decisions for d in stream[1:cut]]
    assert max(at_cuts) < 0.5 * np.median(elsewhere)
    # It does not simply read everything.
    assert sum(d.action is Action.FORECAST for stream in decisions for d in stream[1:cut]) >= 12
