"""The engine's parts: memory, the recurrence, rules; and another family behind the seam."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

from conftest import make_tiny_network
import numpy as np
import pytest
from stream_samples import live_and_stored
import torch

from forecast_detector.config import StreamConfig
from forecast_detector.data.base import Clip, Truth
from forecast_detector.engine import StreamingDetector
from forecast_detector.engine.memory import cat, detach, Memory, rows, split, tree_map, where
from forecast_detector.engine.reading import FrameReader
from forecast_detector.engine.recurrence import (
    advance,
    CopiedForecast,
    LearnedForecast,
    restarted,
    seen,
)
from forecast_detector.engine.rules import choose, FIRST, in_run, reset, serves
from forecast_detector.evaluation.forecast_error import show_errors
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.preprocess import lay_image
from forecast_detector.types import Action, Frame, Policy, Reason


class Pair(NamedTuple):
    left: torch.Tensor
    right: tuple


def make_pair(start, count=3):
    values = torch.arange(start, start + count, dtype=torch.float32).view(count, 1, 1, 1)
    return Pair(values, (values * 10, None))


def test_batches_are_taken_apart_and_joined_row_by_row():
    whole = make_pair(0)
    picked = rows(whole, [2, 0])
    assert isinstance(picked, Pair)
    assert picked.left.flatten().tolist() == [2, 0]
    assert picked.right[0].flatten().tolist() == [20, 0] and picked.right[1] is None
    assert rows(whole, range(3)) is whole
    again = cat(split(whole))
    assert torch.equal(again.left, whole.left) and torch.equal(again.right[0], whole.right[0])
    chosen = where([True, False, True], whole, make_pair(7))
    assert chosen.left.flatten().tolist() == [0, 8, 2]
    assert chosen.right[0].flatten().tolist() == [0, 80, 20]


def test_no_row_is_dropped_in_silence():
    with pytest.raises(ValueError, match='differ in what they remember: NoneType, Tensor'):
        cat([Pair(torch.zeros(1), (torch.zeros(1), torch.zeros(1))),
             Pair(torch.zeros(1), (torch.zeros(1), None))])
    with pytest.raises(ValueError):
        tree_map(torch.add, (torch.zeros(1),), (torch.zeros(1), torch.zeros(1)))


def test_a_detached_memory_has_no_past():
    weight = torch.ones(1, requires_grad=True)
    assert (weight * 2).requires_grad and not detach((weight * 2,))[0].requires_grad


def test_rules_are_the_same_for_one_stream_and_for_many():
    confidences, trusts = [0.9, 0.5, 0.8], [1.0, 0.9, 0.5]
    p = 0.45
    single = [in_run(c, t) for c, t in zip(confidences, trusts)]
    batch = in_run(torch.tensor(confidences), torch.tensor(trusts))
    assert batch.tolist() == pytest.approx(single)
    assert serves(batch, p).tolist() == [serves(c, p) for c in single] == [True, False, False]
    assert in_run(0.5, 0.5, accumulate=False) == 0.5
    assert not serves(float('nan'), 0.0) and not serves(1.0, 1.0)


def test_a_run_goes_on_with_forecasts_and_begins_with_a_read():
    config = StreamConfig(p=0.3)
    frames = [Frame(k * 10, lambda: None, (8, 6)) for k in range(4)]
    run = FIRST.follow(None, frames[0], (8, 6))
    assert (run.trust, run.frames_since_read, run.last_read_stamp_ns) == (1.0, 0, 0)
    for k, (confidence, action, trust, since) in enumerate([
        (0.8, Action.FORECAST, 0.8, 1), (0.5, Action.FORECAST, 0.4, 2), (0.5, Action.READ, 1.0, 0),
    ], 1):
        choice = choose(run, confidence, config)
        run = choice.follow(run, frames[k], (8, 6))
        assert choice.action is action
        assert (run.trust, run.frames_since_read) == (pytest.approx(trust), since)
    assert run.last_read_stamp_ns == 30
    assert FIRST.starts and reset('x').starts and not choose(run, 0.9, config).starts


def test_streams_that_restart_step_as_if_they_were_new():
    network = make_tiny_network()
    features = torch.randn(2, 2, 16, 2, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = advance(network, features[0])
        state = restarted(network, first.state, features[1], [True, False])
        mixed = advance(network, features[1], state)
        fresh, on = advance(network, features[1]), advance(network, features[1], first.state)
    torch.testing.assert_close(mixed.forecast[0], fresh.forecast[0])
    torch.testing.assert_close(mixed.forecast[1], on.forecast[1])
    assert not torch.allclose(fresh.forecast[1], on.forecast[1])


def test_a_copy_expects_what_was_seen_and_trusts_nothing():
    network = make_tiny_network()
    with torch.no_grad():
        memory = advance(network, torch.randn(2, 16, 2, 3))
    expected = CopiedForecast().expect(memory)
    assert expected.features is memory.features
    assert CopiedForecast().confidence(expected).isnan().all()


def test_a_variant_has_streams_of_its_own(tiny_checkpoint):
    detector = StreamingDetector(tiny_checkpoint, StreamConfig(p=0.0), 'cpu')
    other = detector.variant(forecaster=CopiedForecast())
    frame = Frame.from_array(np.zeros((64, 96, 3), np.uint8), 0)
    detector.step({'a': frame})
    assert detector.memory('a') is not None and other.memory('a') is None
    assert other.network is detector.network
    assert isinstance(detector.forecaster, LearnedForecast)


def test_what_is_expected_is_what_a_forecast_takes(tmp_path, tiny_checkpoint):
    detector = StreamingDetector(tiny_checkpoint, StreamConfig(p=0.0), 'cpu')
    frames = [
        Frame.from_array(np.random.default_rng(k).integers(0, 256, (64, 96, 3), np.uint8), k * 10)
        for k in range(3)
    ]
    assert detector.expect('a', frames[0]) is None
    detector.step({'a': frames[0]})
    expected = detector.expect('a', frames[1])
    again = detector.expect('a', frames[1])
    assert torch.equal(expected.features, again.features)
    assert detector.step({'a': frames[1]})['a'].decision.action is Action.FORECAST
    assert torch.equal(detector.memory('a').features, expected.features)


@dataclass
class Brightness:
    """Scores and boxes of :class:`TwoMaps`: a box a cell of each map."""

    input_size: tuple

    def scores(self, raw):
        return torch.cat([one.flatten(1) for one in raw], 1).sigmoid()[..., None]

    def boxes(self, raw, image, candidate):
        height, width = self.input_size
        boxes = []
        for one in raw:
            rows_, columns = one.shape[-2:]
            y, x = torch.meshgrid(torch.arange(rows_), torch.arange(columns), indexing='ij')
            x, y = x.flatten() * width / columns, y.flatten() * height / rows_
            boxes.append(torch.stack([x, y, x + width / columns, y + height / rows_], 1))
        return torch.cat(boxes)[candidate]


class TwoMaps(torch.nn.Module):
    """
    A family that is nothing like SSDLite: F is two maps of grey values, at strides 8 and 16.

    Its state is a mean over time, one map a stride. It sees thumbnails, and counts what it is
    asked for.
    """

    reduction, forecasts, moves, fill = 8, True, False, 127

    def __init__(self):
        super().__init__()
        self.asked = []

    def _note(self, what):
        self.asked.append(what)

    def read(self, images):
        self._note('read')
        grey = images.float().mean(1, keepdim=True) / 64 - 2
        return tuple(torch.nn.functional.avg_pool2d(grey, stride) for stride in (8, 16))

    def preview(self, thumbnails):
        return thumbnails.float().mean(1, keepdim=True) / 64 - 2

    def zero_state(self, features):
        return tuple(torch.zeros_like(one) for one in features)

    def encode(self, features, state):
        self._note('encode')
        state = tuple(0.5 * one + 0.5 * old for one, old in zip(features, state))
        return features, state, state

    def correct(self, forecast, preview, previous):
        difference = preview - previous
        fine = forecast[0] + difference
        coarse = forecast[1] + torch.nn.functional.avg_pool2d(difference, 2)
        return (fine, coarse), difference.abs()

    def rest(self, corrected):
        return corrected

    def settle(self, corrected):
        return corrected

    def extrapolate(self, forecast, preview, previous):
        return self.correct(forecast, preview, previous)[0]

    def schedule(self, features, converted, surprise):
        trust = 2 - 3 * surprise.flatten(1).mean(1)
        return torch.stack([torch.zeros_like(trust), trust], 1)

    def combine(self, features, converted):
        return tuple((a + b) / 2 for a, b in zip(features, converted))

    def detect(self, features):
        return features

    def decoding(self, input_size):
        return Brightness(input_size)


class FlickeringClip(Clip):
    """Little noise on steady ground, and every fourth frame lighter: that is a surprise."""

    def __init__(self, name, length):
        self.name, self.length = name, length

    def __len__(self):
        return self.length

    def read(self, index):
        noise = np.random.default_rng(index).integers(0, 30, (64, 96, 3))
        return (noise + 100 + 40 * (index % 4 == 3)).astype(np.uint8)

    def truth(self, index):
        return Truth()


@pytest.fixture
def two_maps(tiny_checkpoint):
    detector = StreamingDetector(tiny_checkpoint, evaluation_config(Policy.SCHEDULER, 0.5), 'cpu')
    network = TwoMaps()
    detector.network = network
    detector.decoding = network.decoding(detector.input_size)
    detector.forecaster = LearnedForecast(network)
    detector.reader = FrameReader(network, detector.device, detector.input_size, 'letterbox')
    return detector


@pytest.mark.parametrize('policy', ['scheduler', 'alternate', 'copy', 'read'])
def test_a_family_with_several_maps_runs_live_and_from_stored_features(two_maps, policy):
    direct, together = live_and_stored(
        policy, two_maps, [FlickeringClip('a', 9), FlickeringClip('b', 6)], 0.5)
    for one, other in zip(direct, together):
        for a, b in zip(one.steps, other.steps):
            assert (a.action, a.reason) == (b.action, b.reason)
            np.testing.assert_allclose(a.detections.scores, b.detections.scores, atol=1e-5)
            # Cells of one brightness have one score: their order is left to rounding.
            both = (sorted(map(tuple, step.detections.boxes.tolist())) for step in (a, b))
            np.testing.assert_allclose(*both, atol=1e-3)
    actions = {step.action for run in direct for step in run.steps}
    assert actions == ({Action.READ} if policy == 'read' else set(Action))


def test_forecast_errors_of_several_maps_are_drawn_on_the_largest(two_maps):
    pictures, errors = show_errors(two_maps, [FlickeringClip('a', 7)], 0.5)
    assert len(pictures) == 8 and all(np.isfinite(e.error).all() for e in errors)


def test_a_forecast_of_that_family_is_not_read(two_maps):
    frames = [Frame.from_array(np.full((64, 96, 3), 90, np.uint8), k * 10) for k in range(3)]
    two_maps.config = StreamConfig(p=0.5, max_gap_s=0.0)
    decisions = [two_maps.step({'a': frame})['a'].decision for frame in frames]
    assert [d.action for d in decisions] == [Action.READ, Action.FORECAST, Action.FORECAST]
    assert [d.reason for d in decisions][1:] == [Reason.SCHEDULER] * 2
    assert two_maps.network.asked == ['read', 'encode', 'encode', 'encode']
    memory = two_maps.memory('a')
    assert isinstance(memory, Memory) and len(memory.features) == 2
    shown = seen(two_maps.network, memory)
    assert [one.shape[-2:] for one in shown] == [(8, 12), (4, 6)]
    assert len(two_maps.anticipate('a')) > 0


@pytest.mark.parametrize('size', [(64, 96), (48, 64)])
def test_an_input_is_not_copied_but_is_not_the_senders_image_either(tiny_checkpoint, size):
    detector = StreamingDetector(tiny_checkpoint, None, 'cpu')
    reader, inputs, laid = detector.reader, [], []
    reader.network = SimpleNamespace(fill=127, read=inputs.append)
    lay = reader._lay
    reader._lay = lambda *args: laid.append(lay(*args)) or laid[-1]
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    # Mirrored, and not to be written to: views that PyTorch does not take.
    image = image[:, ::-1]
    image.flags.writeable = False
    loaded = reader.load(Frame.from_array(image, 0))
    reader.read([loaded])
    reader.read([loaded, loaded])
    single, double = (one.permute(0, 2, 3, 1).numpy() for one in inputs)
    assert np.shares_memory(single, laid[0]) and not np.shares_memory(single, image)
    np.testing.assert_array_equal(single[0], lay_image(image, loaded.geometry))
    np.testing.assert_array_equal(double, np.concatenate([single, single]))


def test_detections_follow_the_first_configuration_whatever_is_read(tiny_checkpoint):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(2)]
    detector = StreamingDetector(tiny_checkpoint, StreamConfig(), 'cpu')
    few = StreamConfig(p=0.0, max_detections=1, score_threshold=0.0)
    many = StreamConfig(policy=Policy.READ, max_detections=50, score_threshold=0.0)
    for k, image in enumerate(images):
        frame = Frame.from_array(image, k * 10)
        found = detector.step({'a': frame, 'b': frame}, {'a': few, 'b': many})
        # The READ of b runs first, the configuration of a is the first.
        assert [len(found[name].detections) for name in 'ab'] == [1, 1]
    assert found['a'].decision.action is Action.FORECAST
