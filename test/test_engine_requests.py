"""What is asked of the engine from outside a step: a READ, a configuration a stream, a map."""

from conftest import make_tiny_network
import numpy as np
import pytest
from stream_samples import actions, clip, EVERYTHING, noise, step_one

from forecast_detector.annotate import FULL_HEAT, heat
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.engine import StreamingDetector
from forecast_detector.types import Action, Frame, Policy, Reason

READ, FORECAST = Action.READ, Action.FORECAST


@pytest.fixture
def detector(tiny_checkpoint):
    return StreamingDetector(tiny_checkpoint, EVERYTHING.replace(p=0.0), 'cpu')


def test_a_read_that_is_asked_for_comes_next_and_the_stream_goes_on(detector):
    frames = clip(6)
    results = [step_one(detector, frame) for frame in frames[:2]]
    detector.force_read('camera', 'the gripper closes')
    results += [step_one(detector, frame) for frame in frames[2:]]
    assert actions(results) == [READ, FORECAST, READ, FORECAST, FORECAST, FORECAST]
    asked = results[2].decision
    assert (asked.reason, asked.reason_detail) == (Reason.REQUEST, 'the gripper closes')
    assert not np.isnan(asked.confidence)
    assert results[3].decision.reason is Reason.SCHEDULER


def test_a_bad_frame_does_not_use_up_the_request(detector):
    first, second, third = clip(3)
    step_one(detector, first)
    detector.force_read()
    step_one(detector, Frame(second.stamp_ns, lambda: noise(1)[:0], (96, 64)))
    assert step_one(detector, third).decision.reason is Reason.REQUEST


@pytest.mark.parametrize('policy', [Policy.FLOW, Policy.ALTERNATE])
def test_fixed_policies_read_when_asked_and_count_from_there(detector, policy):
    detector.config = EVERYTHING.replace(policy=policy, read_every=3)
    frames = clip(7)
    results = [step_one(detector, frame) for frame in frames[:2]]
    detector.force_read()
    results += [step_one(detector, frame) for frame in frames[2:]]
    assert actions(results) == [READ, FORECAST, READ, FORECAST, FORECAST, READ, FORECAST]


def test_only_the_named_stream_is_read(detector):
    for t in range(2):
        detector.step({name: clip(2)[t] for name in 'ab'})
    detector.force_read('b')
    detector.force_read('nobody')
    results = detector.step({name: clip(3)[2] for name in 'ab'})
    assert [results[name].decision.action for name in 'ab'] == [FORECAST, READ]


def test_each_stream_has_its_own_p_and_threshold(detector):
    weak = EVERYTHING.replace(p=1.0)
    scores = step_one(detector, clip(1)[0], 'pilot').detections.scores
    strict = EVERYTHING.replace(p=0.0, score_threshold=float(np.median(scores)))
    configs = {'a': weak, 'b': strict}
    for t in range(2):
        results = detector.step({name: clip(2)[t] for name in 'ab'}, configs)
    assert [results[name].decision.action for name in 'ab'] == [READ, FORECAST]
    assert [results[name].decision.threshold for name in 'ab'] == [1.0, 0.0]
    alone = StreamingDetector.variant(detector)
    for t in range(2):
        expected = alone.step({'b': clip(2)[t]}, {'b': strict})['b']
    found = results['b'].detections
    assert len(found) and np.allclose(found.boxes, expected.detections.boxes, atol=1e-3)
    assert found.scores.min() >= strict.score_threshold > results['a'].detections.scores.min()


def test_a_network_without_a_peek_has_no_map_of_surprise(detector):
    for frame in clip(2):
        step_one(detector, frame)
    assert detector.surprise('camera') is None and detector.surprise('nobody') is None


def test_what_is_new_in_a_picture_is_the_surprise_there(tmp_path):
    path = tmp_path / 'peek.safetensors'
    save_checkpoint(path, make_tiny_network(peek=4))
    detector = StreamingDetector(load_checkpoint(path), EVERYTHING.replace(p=0.0), 'cpu')
    ground = np.kron(noise(1, (16, 12)), np.ones((16, 16, 1), np.uint8))
    changed = ground.copy()
    changed[:64, 192:] = 255 - changed[:64, 192:]  # the upper right quarter of 192x256
    maps = []
    for t, image in enumerate((ground, ground, changed)):
        step_one(detector, Frame.from_array(image, t * 10**8))
        maps.append(detector.surprise('camera'))
    first, same, other = maps
    assert first is None and same.max() < 0.02
    row, column = np.unravel_index(other.argmax(), other.shape)
    height, width = other.shape
    assert other.max() > 0.03 and row < height / 2 and column >= width / 2
    detector.reset()
    step_one(detector, Frame.from_array(ground, 3 * 10**8))
    assert detector.surprise('camera') is None


def test_heat_is_red_where_the_surprise_is_and_leaves_the_image_alone():
    image = np.full((20, 40, 3), 100, np.uint8)
    surprise = np.array([[0, FULL_HEAT]], np.float32)
    drawn = heat(image, surprise)
    assert drawn.shape == image.shape and (image == 100).all()
    (r0, _, b0), (r1, _, b1) = drawn[10, 1].astype(int), drawn[10, -2].astype(int)
    assert b0 > r0 + 30 and r1 > b1 + 30
