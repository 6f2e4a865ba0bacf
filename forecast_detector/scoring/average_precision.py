"""Average precision over a data set: all points, monotone envelope, mean over classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .matching import FloatArray, IntArray

EPSILON = float(np.finfo(np.float64).eps)


def average_precision(
    true: FloatArray, false: FloatArray, positives: FloatArray | float
) -> FloatArray:
    """
    Area under the precision envelope, all points.

    Every true detection raises recall by its share of the objects, and earns the highest
    precision found at its own or any greater recall.

    :param true: (..., N), by falling score: weight of each true detection, 0 for others.
    :param false: (..., N): weight of each false detection, 0 for others.
    :param positives: (...,) weight of all objects, above 0.
    :returns: (...,) in [0, 1].
    """
    hits = np.cumsum(true, axis=-1)
    precision = hits / np.maximum(hits + np.cumsum(false, axis=-1), EPSILON)
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray((true * envelope).sum(axis=-1) / positives)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """
    What became of every detection of a data set, and how many objects there were.

    :ivar scores: (D,) confidence.
    :ivar labels: (D,) class of the detection.
    :ivar clips: (D,) index of the clip that it was made in.
    :ivar true: (D,) 1 where an object was found.
    :ivar false: (D,) weight as a false detection.
    :ivar positives: (clips, classes) number of objects.
    """

    scores: FloatArray
    labels: IntArray
    clips: IntArray
    true: FloatArray
    false: FloatArray
    positives: IntArray

    def of_class(self, label: int) -> Outcomes:
        """Keep the detections of one class, by falling score (equal: in order of time)."""
        rows = np.flatnonzero(self.labels == label)
        rows = rows[np.argsort(-self.scores[rows], kind='stable')]
        return Outcomes(
            self.scores[rows], self.labels[rows], self.clips[rows], self.true[rows],
            self.false[rows], self.positives[:, label:label + 1],
        )


def class_average_precisions(outcomes: Outcomes) -> FloatArray:
    """Average precision of each class, (classes,), NaN for a class without an object."""
    totals = outcomes.positives.sum(axis=0)
    result = np.full(len(totals), np.nan)
    for label in np.flatnonzero(totals):
        one = outcomes.of_class(int(label))
        result[label] = average_precision(one.true, one.false, float(totals[label]))
    return result


def mean_average_precision(outcomes: Outcomes) -> float | None:
    """Mean over the classes that have an object; None where no class has one."""
    values = class_average_precisions(outcomes)
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
