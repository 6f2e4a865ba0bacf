"""
The scheduler as a classifier: does its confidence tell which forecasts serve?

AUROC says whether it ranks them, calibration whether its figure can be taken at its word, risk
against coverage what it costs to trust a share of the forecasts, the surest first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..records.diagnosis import Bin, Judgement, Risk
from ..records.evaluation import Interval
from ..scoring.bootstrap import clip_weights
from ..types import Action
from .trials import Trial

FloatArray = NDArray[np.float64]
BINS = 10
COVERAGES = tuple(k / 20 for k in range(1, 21))
RESAMPLES = 1000


def judge(trials: Sequence[Trial], clips: int, p: float = 1.0) -> Judgement:
    """
    Sum up trials.

    :param clips: number of clips, for the interval.
    :param p: that steered their streams.
    :raises ValueError: if there is none.
    """
    if not trials:
        raise ValueError('no frame could be forecast: every clip has one annotated '
                         'frame at most; without annotations, --reference read takes what reading '
                         'gives')
    confidence = np.array([trial.confidence for trial in trials])
    serves = np.array([trial.serves for trial in trials])
    bins = reliability(confidence, serves)
    gaps = [b.count * abs(b.confidence - b.served) for b in bins
            if b.confidence is not None and b.served is not None]
    reads = np.mean([trial.action is Action.READ for trial in trials])
    return Judgement(
        p=p, trials=len(trials), read_share=float(reads), served=float(serves.mean()),
        auroc=auroc_interval(confidence, serves, np.array([t.clip for t in trials]), clips),
        calibration_error=float(sum(gaps) / len(trials)),
        brier=float(((confidence - serves) ** 2).mean()), reliability=bins,
        risk=[Risk(*one) for one in risk_coverage(confidence, serves)],
    )


def auroc(confidence: FloatArray, serves: NDArray[np.bool_]) -> float | None:
    """
    Area under the receiver operating characteristic, by ranks (Mann and Whitney); ties are half.

    :returns: None where all serve or none.
    """
    positives = int(serves.sum())
    negatives = len(serves) - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(confidence)[serves].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def auroc_interval(
    confidence: FloatArray, serves: NDArray[np.bool_], clip: NDArray[np.int64], clips: int
) -> Interval | None:
    """
    Add the 95 % interval of a bootstrap over clips; resamples without both kinds are left.

    It has no ends where one clip has all trials: every resample gives the same.
    """
    value = auroc(confidence, serves)
    if value is None:
        return None
    if len(np.unique(clip)) < 2:
        return Interval(value, None, None)
    rows = [np.flatnonzero(clip == at) for at in range(clips)]
    values = []
    for weights in clip_weights(clips, RESAMPLES).astype(int):
        drawn = np.concatenate([np.tile(rows[at], times) for at, times in enumerate(weights)])
        one = auroc(confidence[drawn], serves[drawn])
        if one is not None:
            values.append(one)
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(value, float(low), float(high))


def reliability(confidence: FloatArray, serves: NDArray[np.bool_]) -> list[Bin]:
    """Compare confidence with what happened, in bins of equal width."""
    at = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(
            k / BINS, (k + 1) / BINS, int((at == k).sum()),
            float(confidence[at == k].mean()) if (at == k).any() else None,
            float(serves[at == k].mean()) if (at == k).any() else None,
        ) for k in range(BINS)
    ]


def risk_coverage(
    confidence: FloatArray, serves: NDArray[np.bool_]
) -> list[tuple[float, float]]:
    """Trust the surest forecasts, more and more of them: the share that does not serve."""
    order = np.argsort(-confidence, kind='stable')
    failed = np.cumsum(~serves[order])
    counts = [max(1, round(coverage * len(order))) for coverage in COVERAGES]
    return [(count / len(order), float(failed[count - 1] / count)) for count in counts]
