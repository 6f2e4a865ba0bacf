"""Average precision on cases small enough to work out on paper."""

from evaluation_samples import found, there
import numpy as np
import pytest

from forecast_detector.records.evaluation import Precision
from forecast_detector.scoring.average_precision import average_precision
from forecast_detector.scoring.judging import judge
from forecast_detector.scoring.matching import match_frame, Rule, thresholds
from forecast_detector.scoring.metrics import ScoredClip


def precision_area(hits, positives):
    """Average precision of a ranking written as 'TFT', 'T' true and 'F' false."""
    true = np.array([letter == 'T' for letter in hits], float)
    return float(average_precision(true, 1 - true, np.float64(positives)))


@pytest.mark.parametrize(('ranking', 'positives', 'expected'), [
    ('T', 1, 1.0),
    ('FT', 1, 1 / 2),
    ('TF', 1, 1.0),
    ('T', 2, 1 / 2),
    ('', 3, 0.0),
    ('FF', 3, 0.0),
    # Precisions at the hits 1, 2/3, 3/4: the envelope lifts the second one to 3/4.
    ('TFTT', 3, (1 + 3 / 4 + 3 / 4) / 3),
    ('TFT', 4, (1 + 2 / 3) / 4),
])
def test_area_under_the_envelope(ranking, positives, expected):
    assert precision_area(ranking, positives) == pytest.approx(expected)


def test_a_batch_of_rankings_is_as_one_by_one():
    true = np.array([[1.0, 0, 1], [0, 1, 1]])
    areas = average_precision(true, 1 - true, np.array([2.0, 3.0]))
    assert areas == pytest.approx([precision_area('TFT', 2), precision_area('FTT', 3)])


def test_the_stronger_detection_takes_the_object_and_the_weaker_is_false():
    truth = there((0, 0, 10, 10, 0, 0))
    detections = found((0, 0, 10, 8, 0.9, 0), (0, 0, 10, 10, 0.8, 0))
    assert match_frame(detections, truth, Rule.PLAIN)[0].tolist() == [0, -1]


def test_a_detection_takes_the_free_object_of_highest_overlap():
    truth = there((0, 0, 10, 10, 0, 0), (0, 2, 10, 12, 0, 1))
    # The first is nearest the second object; what is left is good enough for the second one.
    detections = found((0, 2, 10, 12, 0.9, 0), (0, 1.5, 10, 11.5, 0.8, 0))
    assert match_frame(detections, truth, Rule.PLAIN)[0].tolist() == [1, 0]


def test_equal_overlaps_take_the_first_object_and_equal_scores_the_first_detection():
    truth = there((0, 0, 10, 10, 0, 0), (0, 0, 10, 10, 0, 1))
    detections = found((0, 0, 10, 10, 0.5, 0), (0, 0, 10, 10, 0.5, 0), (0, 0, 10, 10, 0.5, 0))
    assert match_frame(detections, truth, Rule.PLAIN)[0].tolist() == [0, 1, -1]


def test_one_half_is_enough_and_another_class_is_not():
    truth = there((0, 0, 10, 10, 0, 0))
    assert match_frame(found((0, 0, 10, 5, 0.9, 0)), truth, Rule.PLAIN)[0].tolist() == [0]
    assert match_frame(found((0, 0, 10, 4.9, 0.9, 0)), truth, Rule.PLAIN)[0].tolist() == [-1]
    assert match_frame(found((0, 0, 10, 10, 0.9, 1)), truth, Rule.PLAIN)[0].tolist() == [-1]


def test_the_tolerant_rule_asks_less_of_small_objects():
    # Sides 9 + 1 = 10: 100 / (20 * 20) = 1/4. Sides 99 + 1 = 100: above 1/2, so 1/2.
    boxes = np.array([[0, 0, 9, 9], [0, 0, 99, 99]], float)
    assert thresholds(boxes, Rule.TOLERANT) == pytest.approx([0.25, 0.5])
    assert thresholds(boxes, Rule.PLAIN) == pytest.approx([0.5, 0.5])


def test_the_tolerant_rule_counts_one_pixel_more_a_side():
    # Shifted by 5: (9 - 5 + 1) / (9 + 5 + 1) = 1/3 counted, 4/14 plain; 1/4 is asked.
    truth = there((0, 0, 9, 9, 0, 0))
    detections = found((5, 0, 14, 9, 0.9, 0))
    matched, shared = match_frame(detections, truth, Rule.TOLERANT)
    assert matched.tolist() == [0]
    assert shared[0, 0] == pytest.approx(1 / 3)
    assert match_frame(detections, truth, Rule.PLAIN)[1][0, 0] == pytest.approx(4 / 14)


def test_perfect_detections_score_one_and_classes_without_objects_do_not_count():
    truth = there((0, 0, 10, 10, 0, 0), (20, 20, 30, 40, 2, 1))
    clip = ScoredClip(
        'a', [found((0, 0, 10, 10, 0.6, 0), (20, 20, 30, 40, 0.7, 2), (0, 0, 9, 9, 0.9, 1))],
        [truth],
    )
    metrics = judge([clip], ['nut', 'bolt', 'wire']).metrics
    assert metrics.map50 == 1.0
    assert metrics.map50_tolerant == 1.0
    assert set(metrics.by_class) == {'nut', 'wire'}


def test_the_mean_is_over_classes_not_objects():
    # Class 0: three of three found; class 1: none of one.
    boxes = [(0, 0, 10, 10, 0, 0), (20, 0, 30, 10, 0, 1), (40, 0, 50, 10, 0, 2),
             (60, 0, 70, 10, 1, 3)]
    detections = found(*((*box[:4], 0.9, 0) for box in boxes[:3]))
    metrics = judge([ScoredClip('a', [detections], [there(*boxes)])], ['nut', 'bolt']).metrics
    assert metrics.map50 == pytest.approx(0.5)


def test_ranking_is_over_all_clips():
    # A false detection in another clip, stronger than the only true one, halves precision.
    clips = [
        ScoredClip('a', [found((0, 0, 10, 10, 0.5, 0))], [there((0, 0, 10, 10, 0, 0))]),
        ScoredClip('b', [found((0, 0, 10, 10, 0.6, 0))], [there()]),
    ]
    assert judge(clips, ['nut']).metrics.map50 == pytest.approx(0.5)


def test_without_objects_there_is_no_number():
    metrics = judge([ScoredClip('a', [found((0, 0, 5, 5, 0.9, 0))], [there()])], ['nut']).metrics
    assert metrics.map50 is None
    assert metrics.by_speed['slow'] == Precision()


def test_frames_must_agree_and_labels_must_fit():
    with pytest.raises(ValueError, match='clip a: detections of 0 frames, truth of 1'):
        ScoredClip('a', [], [there()])
    with pytest.raises(ValueError, match='clip a, frame 0: detected labels'):
        judge([ScoredClip('a', [found((0, 0, 5, 5, 0.9, 7))], [there()])], ['nut'])
