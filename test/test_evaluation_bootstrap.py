"""Bootstrap over clips."""

from evaluation_samples import found, there
import numpy as np
import pytest

from forecast_detector.scoring.average_precision import mean_average_precision
from forecast_detector.scoring.bootstrap import (
    clip_weights,
    interval,
    paired_difference,
    resampled_map,
)
from forecast_detector.scoring.matching import Rule
from forecast_detector.scoring.metrics import outcomes, ScoredClip

BOX = (0, 0, 10, 10)


def random_clips(seed, quality, clips=6, frames=12):
    """Clips of two classes; a detection finds its object with probability ``quality``."""
    rng, result = np.random.default_rng(seed), []
    for number in range(clips):
        detections, truths = [], []
        for _ in range(frames):
            label = number % 2
            hit = rng.random() < quality
            shift = 0 if hit else 50
            rows = [(shift, 0, shift + 10, 10, rng.random(), label)]
            if rng.random() < 0.5:
                rows.append((80, 0, 90, 10, rng.random(), rng.integers(2)))
            detections.append(found(*sorted(rows, key=lambda row: -row[4])))
            truths.append(there((*BOX, label, 0)))
        result.append(ScoredClip(str(number), detections, truths))
    return result


def judged(clips, classes=2):
    return outcomes(clips, classes, Rule.PLAIN, ())['all']


def test_every_resample_draws_as_many_clips_as_there_are():
    weights = clip_weights(7, 50)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_a_resample_scores_as_the_clips_that_it_drew_would():
    clips = random_clips(1, 0.6)
    for weights in clip_weights(len(clips), 8, seed=3):
        drawn = [clip for clip, times in zip(clips, weights) for _ in range(int(times))]
        direct = mean_average_precision(judged(drawn))
        assert resampled_map(judged(clips), weights[None])[0] == pytest.approx(direct)


def test_each_clip_once_is_the_whole():
    one = judged(random_clips(2, 0.7))
    assert resampled_map(one, np.ones((1, 6)))[0] == pytest.approx(mean_average_precision(one))


def test_clips_that_are_all_right_or_all_wrong_spread_as_a_coin_does():
    # Two clips of one class, one found and one not: 0, 1/2 or 1 of the objects, 1 : 2 : 1.
    clips = [
        ScoredClip('a', [found((*BOX, 0.9, 0))], [there((*BOX, 0, 0))]),
        ScoredClip('b', [found()], [there((*BOX, 0, 0))]),
    ]
    values = resampled_map(judged(clips, 1), clip_weights(2, 4000))
    assert set(values) == {0.0, 0.5, 1.0}
    assert np.mean(values == 0.5) == pytest.approx(0.5, abs=0.03)


def test_equal_runs_differ_by_nothing_and_a_clear_difference_is_settled():
    good, bad = judged(random_clips(1, 0.95)), judged(random_clips(1, 0.3))
    same = paired_difference(good, good)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    better = paired_difference(good, bad)
    assert better.low > 0
    assert 0 < better.low < better.value < better.high
    assert paired_difference(bad, good).value == pytest.approx(-better.value)


def test_an_interval_surrounds_its_value():
    one = interval(judged(random_clips(5, 0.6)))
    assert 0 <= one.low <= one.value <= one.high <= 1


def test_one_clip_with_objects_has_no_interval():
    good, bad = (ScoredClip('a', [found((*BOX, 0.9, 0))] * 2, [there((*BOX, 0, 0)), truth])
                 for truth in (there((*BOX, 0, 0)), there()))
    empty = ScoredClip('b', [found((*BOX, 0.5, 0))], [there()])
    for clips in ([good], [good, empty]):
        one = interval(judged(clips, 1))
        assert one.value > 0 and (one.low, one.high) == (None, None)
        gap = paired_difference(judged(clips, 1), judged(clips, 1))
        assert (gap.value, gap.low, gap.high) == (0, None, None)
    assert interval(judged([good, bad], 1)).low is not None


def test_runs_on_different_data_cannot_be_paired():
    with pytest.raises(ValueError, match='different objects'):
        paired_difference(judged(random_clips(1, 0.5)), judged(random_clips(1, 0.5, frames=11)))
    with pytest.raises(ValueError, match='no object'):
        interval(judged([ScoredClip('a', [found()], [there()])]))
