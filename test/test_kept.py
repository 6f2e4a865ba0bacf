"""Boxes of the last READ: carried along, fitted to how they looked, and doubted."""

from clip_samples import texture
import numpy as np
import pytest

from forecast_detector.boxes import iou
from forecast_detector.carrying import carried_back, carried_on, fitted, looks, unexplained
from forecast_detector.flow import prepare
from forecast_detector.kept import DOUBT, Kept, SHOWN, SmallPicture
from forecast_detector.types import Detections

HEIGHT, WIDTH = 100, 160
STILL = np.zeros((HEIGHT, WIDTH, 2), np.float32)
ONE = np.ones(2, np.float32)


def found(*rows):
    """Make detections of (x1, y1, x2, y2, score, label) each."""
    columns = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(columns[:, :4], columns[:, 4], columns[:, 5].astype(np.int64))


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def scene(x=0, y=0):
    """A picture of something, seen from further to the right and below."""
    ground = texture(3, HEIGHT + 40, WIDTH + 100)[20 + y:, 20 + x:, 0]
    assert ground.shape >= (HEIGHT, WIDTH)
    return prepare(ground[:HEIGHT, :WIDTH].copy())


def small(grey, scale=1.0):
    return SmallPicture(grey, grey, np.full(2, scale, np.float32))


def replaced(grey, x1, y1, x2, y2):
    """Something else covers a part of it."""
    other = grey.copy()
    other[y1:y2, x1:x2] = 255 - grey[y1:y2, x1:x2]
    return other


def doubted(score, doubt, floor=SHOWN):
    return floor + (score - floor) * np.exp(-doubt)


@pytest.mark.parametrize('shift', [(0, 0), (6, -4), (-11, 3)])
def test_boxes_go_where_the_picture_goes(shift):
    """What is seen at x was at x + flow before: a shift to the right has a flow to the left."""
    onward = np.broadcast_to(np.array(shift, np.float32), STILL.shape).copy()
    expected = np.array([60, 30, 120, 70]) + shift * 2
    for moved in (carried_back(found((60, 30, 120, 70, 0.8, 1)), -onward),
                  carried_on(found((60, 30, 120, 70, 0.8, 1)), onward)):
        np.testing.assert_allclose(moved.boxes[0], expected, atol=1e-4)


def test_motion_is_taken_where_the_box_goes():
    """Only the object moves, by more than its own side: the flow of its old place is still."""
    flow = STILL.copy()
    flow[10:30, 60:80] = (-40, 0)
    flow[10:30, 20:40] = (-40, 0)  # what the background uncovers there came from elsewhere
    moved = carried_back(found((20, 10, 40, 30, 0.8, 1)), flow)
    np.testing.assert_allclose(moved.boxes[0], [60, 10, 80, 30], atol=1.0)


def test_what_moves_looks_the_same():
    box, shift = boxes((40, 30, 80, 70)), np.array([4, 7] * 2, np.float32)
    before, now = looks(scene(), box), looks(scene(4, 7), box - shift)
    assert before.shape == (1, 9, 9) and 0 <= before.min() < before.max() <= 1
    np.testing.assert_allclose(before, now, atol=0.02)
    assert np.abs(before - looks(scene(4, 7), box)).max() > 0.1
    assert looks(scene(), boxes()).shape == (0, 9, 9)


@pytest.mark.parametrize('brighter', [0, 20])
@pytest.mark.parametrize('error', [(3, 0, 3, 0), (0, -3, 0, -3), (-2, -2, 2, 2), (3, 2, 3, 2)])
def test_a_box_is_fitted_to_how_it_looked_in_any_light(error, brighter):
    true = boxes((40, 30, 80, 70))
    wanted, grey = looks(scene(), true), np.minimum(scene() // 2 + brighter, 255).astype(np.uint8)
    wanted = wanted / 2
    off = true + np.array(error, np.float32)
    better = fitted(grey, off, wanted)
    assert iou(better, true)[0, 0] > iou(off, true)[0, 0] + 0.03
    np.testing.assert_allclose(fitted(grey, true, wanted), true)


def test_boxes_are_fitted_each_to_its_own_look_or_stay():
    true = boxes((40, 30, 80, 70), (90, 20, 130, 60))
    off = true + np.array([[3, 0, 3, 0], [0, 0, 0, 0]], np.float32)
    better = fitted(scene(), off, looks(scene(), true))
    assert iou(better[:1], true[:1])[0, 0] > 0.95
    np.testing.assert_allclose(better[1], true[1])
    plain = np.full((HEIGHT, WIDTH), 90, np.uint8)  # no step gains anything
    np.testing.assert_allclose(fitted(plain, off, looks(plain, off)), off)
    assert fitted(scene(), boxes(), looks(scene(), boxes())).shape == (0, 4)


def test_motion_explains_what_moved_and_nothing_else():
    here, there = scene(), scene(5, 3)
    both = boxes((40, 30, 80, 70), (100, 40, 130, 70))
    flow = np.broadcast_to(np.array([-5, -3], np.float32), STILL.shape).copy()
    assert unexplained(here, there, flow, both).max() < 0.02
    assert unexplained(here, there, STILL, both).min() > 0.02
    covered = replaced(there, 35, 27, 75, 67)
    assert unexplained(here, covered, flow, both)[0] > 0.1
    assert unexplained(here, covered, flow, both)[1] < 0.02
    assert unexplained(here, there, flow, boxes()).shape == (0,)


@pytest.mark.parametrize('flow', [STILL, None], ids=['known', 'searched'])
def test_doubt_is_of_the_box_itself_and_adds_up(flow):
    ours = found((40, 30, 80, 70, 0.8, 0), (100, 40, 130, 70, 0.6, 1))
    kept = Kept().read(ours, small(scene()))
    assert not kept.doubt.any()
    same = kept.moved(small(scene()), flow)
    assert not same.doubt.any()
    once = same.moved(small(replaced(scene(), 40, 30, 80, 70)), STILL)
    missed = unexplained(
        replaced(scene(), 40, 30, 80, 70), scene(), STILL, once.boxes.boxes)
    assert missed[0] > 0.1 and missed[1] == 0
    assert once.doubt == pytest.approx(missed / DOUBT)
    twice = once.moved(small(scene()), STILL)
    assert twice.doubt[0] > once.doubt[0] + 0.5 and twice.doubt[1] == 0
    assert twice.detections.scores.tolist() == ours.scores.tolist()


def test_doubted_boxes_come_by_falling_score():
    kept = Kept().read(found((40, 30, 80, 70, 0.8, 0), (100, 40, 130, 70, 0.6, 1)), small(scene()))
    after = kept.moved(small(replaced(scene(), 40, 30, 80, 70)), STILL)
    given = after.doubted()
    assert given.labels.tolist() == [1, 0]
    assert given.scores == pytest.approx([0.6, doubted(0.8, after.doubt[0])])
    np.testing.assert_allclose(given.boxes, after.detections.boxes[::-1])


@pytest.mark.parametrize('least', [0.0, 0.01, SHOWN, 0.5])
def test_doubt_hides_nothing_that_a_read_showed(least):
    """A score from the threshold on stays so; one below it falls, and none rises."""
    scores = np.array([0.9, 0.51, 0.5, 0.31, 0.29, 0.02], np.float32)
    rows = [(20, 10 * k, 60, 10 * k + 30, score, k) for k, score in enumerate(scores)]
    kept = Kept().read(found(*rows), small(scene()))
    for _ in range(3):
        for grey in (255 - scene(), scene()):
            kept = kept.moved(small(grey), STILL)
    after, floor = kept.doubted(least), np.float32(max(least, SHOWN))
    assert len(after.above(float(floor))) == (scores >= floor).sum()
    assert after.scores.max() < floor + 0.02
    for score, label in zip(after.scores, after.labels):
        assert (score >= floor) == (scores[label] >= floor) and score <= scores[label]


@pytest.mark.parametrize('known', [True, False], ids=['known', 'searched'])
def test_what_leaves_the_picture_is_gone_and_takes_its_doubt_along(known):
    ours = found((2, 30, 22, 60, 0.8, 0), (100, 30, 130, 60, 0.6, 1))
    kept = Kept().read(ours, small(scene()))
    kept = kept.moved(small(replaced(scene(), 100, 30, 130, 60)), STILL)
    doubt = kept.doubt[1]
    assert doubt > 0.5 > kept.doubt[0]
    kept = kept.moved(small(scene()), STILL)
    flow = np.broadcast_to(np.array([12, 0], np.float32), STILL.shape).copy()
    for x in (12, 24, 36, 48):
        kept = kept.moved(small(scene(x)), flow if known else None)
    assert kept.detections.labels.tolist() == [1] and len(kept.looks) == 1
    assert kept.doubt[0] > doubt
    assert iou(kept.detections.boxes, boxes((52, 30, 82, 60)))[0, 0] > 0.8


def test_boxes_go_on_as_the_picture_last_moved():
    kept = Kept().read(found((80, 60, 160, 140, 0.8, 0)), small(scene(), 2.0))
    assert kept.ahead() is kept  # one frame shows no motion
    flow = np.broadcast_to(np.array([3, 1], np.float32), STILL.shape).copy()
    for known in (flow, None):
        now = kept.moved(small(scene(3, 1), 2.0), known)
        np.testing.assert_allclose(now.detections.boxes, [[74, 58, 154, 138]], atol=1)
        ahead = now.ahead()
        np.testing.assert_allclose(ahead.detections.boxes, [[68, 56, 148, 136]], atol=1.5)
        assert ahead.detections.scores[0] == pytest.approx(0.8)
    # After a READ, too, whose own motion is known or can be found.
    later = found((68, 56, 148, 136, 0.7, 0))
    for known in (flow, None):
        again = now.read(later, small(scene(6, 2), 2.0), known).ahead()
        np.testing.assert_allclose(again.detections.boxes, [[62, 54, 142, 134]], atol=1.5)


def test_another_size_of_picture_leaves_boxes_in_place():
    kept = Kept().read(found((40, 30, 80, 70, 0.8, 0)), small(scene()))
    other = kept.moved(small(np.zeros((HEIGHT * 2, WIDTH), np.uint8)))
    np.testing.assert_allclose(other.detections.boxes, [[40, 30, 80, 70]])
    assert other.ahead() is other
