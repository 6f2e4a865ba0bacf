"""Agreement, recall, frames until an object is found: on frames that are counted by hand."""

from evaluation_samples import found, there
import pytest

from forecast_detector.data.base import Truth
from forecast_detector.evaluation.reference import as_truths
from forecast_detector.scoring.judging import judge, Judging
from forecast_detector.scoring.metrics import ScoredClip
from forecast_detector.scoring.seen import LIMIT

LABELS = ('nut', 'bolt')
BOX = (0, 0, 10, 10)
AWAY = (100, 100, 110, 110)
BY_READING = Judging(reading=0.4)


def figures(detections, truths, judging=BY_READING, annotations=None):
    clip = ScoredClip('a', detections, truths, annotations)
    judged = judge([clip], LABELS, judging)
    return judged.metrics, judged.found


def test_agreement_pools_the_classes():
    """Nine nuts of ten objects are found: a mean over classes would say one half."""
    truths = [there((*BOX, 0, -1))] * 9 + [there((*BOX, 1, -1))]
    seen = [found((*BOX, 0.9, 0))] * 9 + [found()]
    metrics, _ = figures(seen, truths)
    assert metrics.agreement50 == pytest.approx(0.9)
    assert metrics.by_class['bolt'].agreement50 == 0.0
    assert (metrics.map50, metrics.map50_tolerant) == (None, None)
    by_truth, _ = figures(seen, truths, Judging())
    assert (by_truth.map50, by_truth.agreement50) == (0.5, None)


def test_another_class_is_no_agreement():
    metrics, seen = figures([found((*BOX, 0.9, 1))], [there((*BOX, 0, -1))])
    assert (metrics.agreement50, seen.recall50) == (0.0, 0.0)


def test_reading_agrees_with_itself_whatever_weak_detections_it_has():
    read = [
        found((*BOX, 0.9, 0), (2, 0, 12, 10, 0.41, 1), (*AWAY, 0.2, 0), (*AWAY, 0.1, 1)),
        found((3, 0, 13, 10, 0.5, 0), (*AWAY, 0.39, 1)), found((*AWAY, 0.8, 0)),
    ]
    metrics, seen = figures(read, as_truths(read, 0.4))
    assert (metrics.agreement50, seen.recall50, seen.frames_to_find) == (1.0, 1.0, 0.0)


def test_nothing_read_is_nothing_to_agree_with():
    metrics, seen = figures([found((*BOX, 0.9, 0))], as_truths([found()], 0.4))
    assert (metrics.agreement50, seen.recall50, seen.frames_to_find) == (None, None, None)


@pytest.mark.parametrize(('score', 'recall'), [(0.29, 0.5), (0.31, 1.0)])
def test_recall_counts_what_a_user_sees(score, recall):
    seen = [found((*BOX, 0.9, 0)), found((*BOX, score, 0))]
    truths = [there((*BOX, 0, 0))] * 2
    for judging in (Judging(), BY_READING):
        metrics, counted = figures(seen, truths, judging)
        assert (metrics.ap50, counted.recall50) == (1.0, recall)


def test_one_detection_finds_one_object():
    near = there((*BOX, 0, 0), (1, 0, 11, 10, 0, 1))
    assert figures([found((*BOX, 0.9, 0))], [near])[1].recall50 == 0.5


def waits(hits, shown, annotated=None):
    """Tell how long an object takes that is shown in some frames, and found in some."""
    truths = [
        there((*BOX, 0, 5)) if k in shown else Truth(annotated=annotated is None or k in annotated)
        for k in range(max(shown) + 1)
    ]
    detections = [found((*BOX, 0.9, 0)) if k in hits else found() for k in range(len(truths))]
    return figures(detections, truths, Judging())[1].frames_to_find


def test_frames_until_a_new_object_is_found():
    assert waits(hits=[2], shown=[2, 3, 4]) == 0
    assert waits(hits=[4], shown=[2, 3, 4]) == 2
    assert waits(hits=[], shown=[2, 3, 4]) == 3, 'as many as it has'
    assert waits(hits=[], shown=range(1, LIMIT + 9)) == LIMIT
    assert waits(hits=[2], shown=[0, 1, 2]) is None, 'nobody knows whether it is new'
    assert waits(hits=[3], shown=[2, 3], annotated=[2, 3]) is None
    assert waits(hits=[5], shown=[1, 2, 5]) == 2, 'its track goes on'


def test_of_what_is_read_a_box_without_a_neighbour_is_an_object_of_one_frame():
    read = [found(), found((*BOX, 0.9, 0)), found(), found((*AWAY, 0.9, 1)), found()]
    truths = as_truths(read, 0.4)
    late = [found(), found(), found((*BOX, 0.9, 0)), found((*AWAY, 0.9, 1)), found()]
    assert figures(late, truths)[1].frames_to_find == 0.5
    assert figures(late, truths, Judging())[1].frames_to_find is None, 'no track, no object'


def test_what_is_read_gets_tracks():
    truths = as_truths([
        found((0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.3, 0)),
        found((2, 0, 12, 10, 0.5, 0), (2, 0, 12, 10, 0.6, 1)),
        None,
        found((4, 0, 14, 10, 0.5, 0)), found((6, 0, 16, 10, 0.5, 0)),
    ], 0.4)
    assert [one.tracks.tolist() for one in truths] == [[0], [0, -1], [], [2], [2]]
    assert [one.annotated for one in truths] == [True, True, False, True, True]


def test_of_what_moves_too_far_nobody_knows_the_speed():
    fast = [found((20 * k, 0, 20 * k + 10, 10, 0.9, 0)) for k in range(3)]
    slow = [found((*AWAY, 0.9, 0))] * 3
    by_speed = figures(fast, as_truths(fast, 0.4))[0].by_speed
    assert [one.agreement50 for one in by_speed.values()] == [None] * 3
    assert figures(slow, as_truths(slow, 0.4))[0].by_speed['slow'].agreement50 == 1.0


def test_annotated_objects_are_found_or_not_whatever_else_is_seen():
    """One of two is covered by 8 of 12 columns, the other by a box of another class."""
    own = [there((*BOX, 0, 0)), Truth(annotated=False), there((*BOX, 0, 0))]
    seen = [
        found((2, 0, 12, 10, 0.9, 0), (*AWAY, 0.95, 0)), found((*BOX, 0.9, 0)),
        found((*BOX, 0.9, 1)),
    ]
    _, counted = figures(seen, as_truths(seen, 0.4), annotations=own)
    assert counted.annotated_recall50 == 0.5
    assert counted.annotated_overlap == pytest.approx((8 / 12) / 2)
    assert figures(seen, as_truths(seen, 0.4))[1].annotated_recall50 is None
