"""Objects keep their numbers: association, the engine's part, figures of identity."""

import numpy as np
import pytest
from stream_samples import clip, EVERYTHING, FRAME_NS, step_one

from forecast_detector.data.base import Truth
from forecast_detector.engine import StreamingDetector
from forecast_detector.scoring.identity import Identities
from forecast_detector.tracking import Tracker
from forecast_detector.types import Action, Detections, Frame, Policy, Reason


def seen(*objects):
    """Make detections of (x, y, side, label), (x, y) the corner."""
    boxes = np.array([(x, y, x + s, y + s) for x, y, s, _ in objects], np.float32).reshape(-1, 4)
    labels = np.array([label for *_, label in objects], np.int64)
    return Detections(boxes, np.full(len(objects), 0.6, np.float32), labels)


def numbers(tracker, *objects):
    return tracker.follow(seen(*objects)).ids.tolist()


def test_two_that_cross_keep_their_numbers():
    tracker = Tracker()
    assert numbers(tracker, (0, 0, 20, 0), (200, 4, 20, 0)) == [1, 2]
    for t in range(1, 21):
        assert numbers(tracker, (10 * t, 0, 20, 0), (200 - 10 * t, 4, 20, 0)) == [1, 2]


def test_a_number_does_not_depend_on_the_order_of_detections():
    tracker = Tracker()
    numbers(tracker, (0, 0, 20, 0), (100, 0, 20, 0))
    assert numbers(tracker, (101, 0, 20, 0), (1, 0, 20, 0)) == [2, 1]


def test_a_moving_object_is_itself_after_a_few_frames_unseen():
    tracker = Tracker()
    for t in range(8):
        assert numbers(tracker, (6 * t, 0, 20, 0)) == [1]
    for _ in range(4):
        assert numbers(tracker) == []
    assert numbers(tracker, (6 * 12, 0, 20, 0)) == [1]


def test_what_comes_much_later_in_its_place_is_another_object():
    tracker = Tracker()
    numbers(tracker, (0, 0, 20, 0))
    for _ in range(40):
        numbers(tracker)
    assert numbers(tracker, (0, 0, 20, 0)) == [2]


def test_classes_do_not_mix():
    tracker = Tracker()
    assert numbers(tracker, (0, 0, 20, 0)) == [1]
    assert numbers(tracker, (0, 0, 20, 1)) == [2]
    assert numbers(tracker, (0, 0, 20, 0), (0, 0, 20, 1)) == [1, 2]


def test_a_new_start_gives_new_numbers():
    tracker = Tracker()
    numbers(tracker, (0, 0, 20, 0), (90, 0, 20, 0))
    tracker.start()
    assert numbers(tracker, (0, 0, 20, 0)) == [3]


def test_following_changes_nothing_but_the_numbers():
    given = seen((0, 0, 20, 0), (50, 9, 30, 1))
    followed = Tracker().follow(given)
    for name in ('boxes', 'scores', 'labels'):
        assert getattr(followed, name) is getattr(given, name)
    assert followed.above(0.7).ids.tolist() == [] and followed.above(0.5).ids.tolist() == [1, 2]


@pytest.fixture
def detector(tiny_checkpoint):
    return StreamingDetector(tiny_checkpoint, EVERYTHING, 'cpu')


def still(t, size=(96, 64)):
    """Make a frame that shows the same as the one before."""
    image = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Frame.from_array(image, t * FRAME_NS)


@pytest.mark.parametrize('policy', [Policy.ALTERNATE, Policy.FLOW])
def test_numbers_outlive_forecasts(detector, policy):
    detector.config = EVERYTHING.replace(policy=policy, read_every=4, max_detections=3)
    results = [step_one(detector, still(t)) for t in range(9)]
    assert {r.decision.action for r in results} == {Action.READ, Action.FORECAST}
    first, later = results[0].detections.ids, results[-1].detections.ids
    assert len(first) == 3 and set(first) == {1, 2, 3}
    if policy is Policy.FLOW:  # the same boxes again; forecasts of random weights wander
        assert set(later) == set(first)


def test_a_reset_gives_new_numbers_and_cameras_count_apart(detector):
    detector.config = EVERYTHING.replace(policy=Policy.READ, max_detections=3)
    first = {step_one(detector, still(t), 'a').detections.ids.max() for t in range(3)}
    assert first == {3}
    detector.reset('a')
    again = step_one(detector, still(3), 'a')
    assert again.decision.reason is Reason.RESET
    assert again.detections.ids.tolist() == [4, 5, 6]
    assert step_one(detector, still(3), 'b').detections.ids.tolist() == [1, 2, 3]


def test_without_following_there_are_no_numbers_and_the_same_boxes(tiny_checkpoint, detector):
    other = StreamingDetector(tiny_checkpoint, EVERYTHING.replace(track=False), 'cpu')
    for frame in clip(3):
        followed, plain = step_one(detector, frame).detections, step_one(other, frame).detections
        assert plain.ids is None and len(followed.ids) == len(followed)
        assert np.array_equal(followed.boxes, plain.boxes)


def test_a_switch_and_a_shared_number_are_counted():
    truth = Truth(seen((0, 0, 20, 0), (90, 0, 20, 0)).boxes, np.zeros(2, np.int64), np.arange(2))
    figures = Identities()
    for ids in ([1, 2], [1, 2], [3, 1]):
        found = seen((0, 0, 20, 0), (90, 0, 20, 0))
        figures.add(Detections(found.boxes, found.scores, found.labels, np.array(ids)), truth)
    figures.add(Detections(ids=np.zeros(0, np.int64)), truth)
    assert (figures.found, figures.switches, figures.shared, figures.lost) == (6, 2, 1, 2)
    with pytest.raises(ValueError, match='no ids; set track'):
        figures.add(found, truth)
