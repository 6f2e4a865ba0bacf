"""Motion IoU and the rules of average precision by speed, worked out on paper."""

from evaluation_samples import found, there
import numpy as np
import pytest

from forecast_detector.scoring.judging import judge
from forecast_detector.scoring.matching import Pairs, Rule
from forecast_detector.scoring.metrics import outcomes, ScoredClip
from forecast_detector.scoring.motion import false_weights, in_range, motion_iou

SLOW = (0, 0, 10, 10, 0, 0)


def test_a_box_that_stays_has_motion_iou_one_and_a_lone_box_too():
    motion = motion_iou([there(SLOW), there(SLOW), there(SLOW, (50, 50, 60, 60, 0, 1))])
    assert [m.tolist() for m in motion] == [[1.0], [1.0], [1.0, 1.0]]


def test_motion_iou_is_the_mean_over_neighbours_on_both_sides():
    # Width 10, steps of 2: neighbours overlap 8/12, second neighbours 6/14.
    motion = motion_iou([there((2 * t, 0, 10 + 2 * t, 10, 0, 5)) for t in range(3)])
    outer = (8 / 12 + 6 / 14) / 2
    assert np.concatenate(motion) == pytest.approx([outer, 8 / 12, outer])


def test_motion_iou_reaches_ten_frames():
    # The box jumps away in frame 11: frame 1 still sees it, frame 0 does not.
    frames = [there(SLOW)] * 11 + [there((100, 0, 110, 10, 0, 0))]
    motion = np.concatenate(motion_iou(frames))
    assert motion[0] == 1.0
    assert motion[1] == pytest.approx(10 / 11)
    assert motion[11] == 0.0


def test_a_gap_in_a_track_leaves_the_available_neighbours():
    frames = [there(SLOW), there(), there((5, 0, 15, 10, 0, 0))]
    assert [m.tolist() for m in motion_iou(frames)] == [
        [pytest.approx(5 / 15)], [], [pytest.approx(5 / 15)]
    ]


def test_an_unknown_track_has_no_speed():
    motion = motion_iou([there((0, 0, 10, 10, 0, -1))])[0]
    assert np.isnan(motion).all()
    assert not any(in_range(motion, speed).any() for speed in ('slow', 'medium', 'fast'))


def test_both_ends_of_a_range_belong_to_it():
    motion = np.array([0.7, 0.9])
    assert in_range(motion, 'fast').tolist() == [True, False]
    assert in_range(motion, 'medium').tolist() == [True, True]
    assert in_range(motion, 'slow').tolist() == [False, True]


@pytest.mark.parametrize(('shared', 'chosen', 'expected'), [
    ([0.3, 0.2], [True, False], 1.0),
    ([0.2, 0.3], [True, False], 0.0),
    ([0.0, 0.0, 0.0], [True, False, False], 2 / 3),
    ([0.4, 0.4, 0.1, 0.1], [True, False, True, True], 1 / 4),
    ([0.0], [True], 1.0),
    ([0.0], [False], 0.0),
    ([], [], 0.125),
])
def test_weight_of_a_detection_that_found_nothing(shared, chosen, expected):
    boxes = len(shared)
    pairs = Pairs(np.zeros(boxes, int), np.arange(boxes), np.array(shared, float))
    weights = false_weights(
        pairs, (np.array([1]), np.array([boxes])), np.array(chosen, bool), 0.125)
    assert weights.tolist() == [pytest.approx(expected)]


def still_and_moving(extra_detections=()):
    """Eight frames with a box that stays and one of the same class that rushes by."""
    detections, truths = [], []
    for t in range(8):
        moving = (20 + 20 * t, 50, 40 + 20 * t, 70)
        truths.append(there(SLOW, (*moving, 0, 1)))
        detections.append(found((*SLOW[:4], 0.9, 0), *extra_detections))
    return ScoredClip('a', detections, truths)


def test_each_speed_counts_only_its_own_objects():
    metrics = judge([still_and_moving()], ['nut']).metrics
    assert metrics.map50 == pytest.approx(0.5)
    assert metrics.by_speed['slow'].map50 == 1.0
    assert metrics.by_speed['fast'].map50 == 0.0
    assert metrics.by_speed['medium'].map50 is None


def test_detections_of_objects_out_of_range_count_for_nothing():
    judged = outcomes([still_and_moving()], 1, Rule.PLAIN)
    assert judged['slow'].true.sum() == 8
    assert judged['fast'].true.sum() == 0
    assert judged['fast'].false.sum() == 0


def test_a_false_detection_that_touches_nothing_is_shared_by_the_ranges():
    # Half of each frame's boxes are slow, half fast: a tie weighs one half in both ranges.
    judged = outcomes([still_and_moving([(200, 200, 210, 210, 0.95, 0)])], 1, Rule.PLAIN)
    assert judged['all'].false.sum() == 8
    assert judged['slow'].false.sum() == pytest.approx(4)
    assert judged['fast'].false.sum() == pytest.approx(4)
    # Eight of weight 1/2 before the eight true ones: precision 8 / 12 everywhere.
    assert judge([still_and_moving([(200, 200, 210, 210, 0.95, 0)])], ['nut']).metrics.by_speed[
        'slow'].map50 == pytest.approx(8 / 12)


def test_a_false_detection_near_a_box_of_another_class_goes_by_that_box():
    near_moving = [(20, 50, 40, 70, 0.95, 1)]
    truths = [there(SLOW, (20 + 20 * t, 50, 40 + 20 * t, 70, 0, 1)) for t in range(2)]
    clip = ScoredClip('a', [found(*near_moving), found()], truths)
    judged = outcomes([clip], 2, Rule.PLAIN)
    assert judged['fast'].false.sum() == 1
    assert judged['slow'].false.sum() == 0


def test_in_a_frame_without_boxes_the_share_of_the_data_set_decides():
    # Sixteen boxes, half of them slow; one false detection in an empty clip.
    clips = [still_and_moving(), ScoredClip('b', [found((0, 0, 5, 5, 0.99, 0))], [there()])]
    judged = outcomes(clips, 1, Rule.PLAIN)
    assert judged['slow'].false.sum() == pytest.approx(0.5)
    assert judged['all'].false.sum() == 1
