"""How sure a mean average precision or a difference of two is: bootstrap over clips."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..records.evaluation import Interval
from .average_precision import EPSILON, mean_average_precision, Outcomes
from .matching import FloatArray


def clip_weights(clips: int, resamples: int, seed: int = 0) -> FloatArray:
    """How often each clip is drawn in each resample, (resamples, clips), rows sum to clips."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clips, np.full(clips, 1 / clips), resamples).astype(np.float64)


def resampled_map(outcomes: Outcomes, weights: FloatArray) -> FloatArray:
    """
    Mean average precision of each resample of the clips.

    Precision can only rise at a true detection, so only these are followed: what was counted
    up to each of them, clip by clip, times how often the clips were drawn.

    :param weights: (R, clips), see :func:`clip_weights`.
    :returns: (R,); the mean is over the classes that the resample has objects of, NaN if none.
    """
    positives = weights @ outcomes.positives
    total, count = np.zeros(len(weights)), np.zeros(len(weights))
    for label in np.flatnonzero(outcomes.positives.sum(axis=0)):
        there = positives[:, label] > 0
        area = _resampled_area(outcomes.of_class(int(label)), weights)
        total += np.where(there, area / np.where(there, positives[:, label], 1.0), 0.0)
        count += there
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _resampled_area(one: Outcomes, weights: FloatArray) -> FloatArray:
    """Sum of envelope precision over the true detections of one class, (R,)."""
    hits = np.flatnonzero(one.true)
    if not len(hits):
        return np.zeros(len(weights))
    true = _counted_by_clip(one.true, one.clips, hits, weights.shape[1])
    false = _counted_by_clip(one.false, one.clips, hits, weights.shape[1])
    found = weights @ true.T
    precision = found / np.maximum(found + weights @ false.T, EPSILON)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((envelope * weights[:, one.clips[hits]]).sum(axis=1))


def _counted_by_clip(
    values: FloatArray, clips: np.ndarray, hits: np.ndarray, number: int
) -> FloatArray:
    """Sum of ``values`` up to each hit, in each clip: (hits, number)."""
    steps = np.zeros((len(hits), number))
    interval = np.searchsorted(hits, np.arange(hits[-1] + 1))
    np.add.at(steps, (interval, clips[:hits[-1] + 1]), values[:hits[-1] + 1])
    return np.cumsum(steps, axis=0)


def interval(
    outcomes: Outcomes, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """
    Percentile interval of a mean average precision; without ends where one clip has all objects.

    :raises ValueError: if there is no object to find.
    """
    value = _whole(outcomes)
    if not _varies(outcomes):
        return Interval(value, None, None)
    weights = clip_weights(len(outcomes.positives), resamples, seed)
    return _interval(value, resampled_map(outcomes, weights), confidence)


def _varies(outcomes: Outcomes) -> bool:
    """Say whether resamples differ: for that it takes two clips with objects."""
    return bool((outcomes.positives.sum(axis=1) > 0).sum() > 1)


def paired_difference(
    a: Outcomes, b: Outcomes, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """
    Percentile interval of the mean average precision of ``a`` less that of ``b``.

    Both are measured on the same resamples, so that what is hard for both cancels. It has no ends
    where one clip has all objects.

    :raises ValueError: if they are of different data, or without an object to find.
    """
    if not np.array_equal(a.positives, b.positives):
        raise ValueError(
            'the two runs have different objects in their clips: a paired comparison needs the '
            'same data set, split and stride'
        )
    value = _whole(a) - _whole(b)
    if not _varies(a):
        return Interval(value, None, None)
    differences = _resampled(a, resamples, seed) - _resampled(b, resamples, seed)
    return _interval(value, differences, confidence)


@lru_cache(maxsize=2)
def _resampled(outcomes: Outcomes, resamples: int, seed: int) -> FloatArray:
    """Resample a run; kept for the next, as one run is compared with many in turn."""
    return resampled_map(outcomes, clip_weights(len(outcomes.positives), resamples, seed))


def _whole(outcomes: Outcomes) -> float:
    value = mean_average_precision(outcomes)
    if value is None:
        raise ValueError('there is no object to find in these clips; nothing can be resampled')
    return value


def _interval(value: float, values: FloatArray, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return Interval(value, float(low), float(high))
