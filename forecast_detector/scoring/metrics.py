"""All numbers of the ImageNet VID protocol, from detections and truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.base import Truth
from ..records.evaluation import Metrics, Precision
from ..types import Detections
from .average_precision import class_average_precisions, mean_average_precision, Outcomes
from .columns import Frames, Truths
from .matching import FloatArray, in_crowd, match, Pairs, Rule, thresholds
from .motion import false_weights, in_range, SPEEDS

ALL = 'all'


@dataclass(frozen=True)
class ScoredClip:
    """
    What was detected in a clip and what was there, frame by frame.

    :ivar annotations: what is annotated beside a reference that stands in the truth's place.
    :raises ValueError: if the two do not count the same frames.
    """

    name: str
    detections: Sequence[Detections]
    truths: Sequence[Truth]
    annotations: Sequence[Truth] | None = None

    def __post_init__(self) -> None:
        """Compare the lengths."""
        if len(self.detections) != len(self.truths):
            raise ValueError(
                f'clip {self.name}: detections of {len(self.detections)} frames, truth of '
                f'{len(self.truths)}; give one Detections a frame, empty where nothing is seen'
            )

    @property
    def annotated(self) -> int:
        """Number of frames that have a truth of their own, be it empty."""
        own = self.truths if self.annotations is None else self.annotations
        return sum(truth.annotated for truth in own)


def outcomes(
    clips: Sequence[ScoredClip], classes: int, rule: Rule, speeds: Sequence[str] = tuple(SPEEDS)
) -> dict[str, Outcomes]:
    """
    Judge every detection once, for all objects and for those of each speed.

    Frames that were not annotated are left out.

    :param classes: number of class names that labels index.
    :returns: ``all`` and each of the speeds to its outcomes.
    :raises ValueError: for a label outside the classes.
    """
    truths = Truths([clip.name for clip in clips], [clip.truths for clip in clips], classes)
    return score(truths, [clip.detections for clip in clips], rule, speeds)


def score(
    truths: Truths, detections: Sequence[Sequence[Detections]], rule: Rule,
    speeds: Sequence[str] = tuple(SPEEDS),
) -> dict[str, Outcomes]:
    """
    Judge detections, clip by clip and frame by frame, see :func:`outcomes`.

    :raises ValueError: for a label outside the classes.
    """
    found, scores = truths.detected(detections)
    true = truths.frames
    counts = found.counts, true.counts
    pairs = Pairs.of(counts, (found.boxes, true.boxes), rule)
    hits = match(pairs, scores, (found.labels, true.labels), thresholds(true.boxes, rule))
    neither = (hits >= 0) | _in_crowds(truths, detections, found, rule)
    result = {}
    for name in (ALL, *speeds):
        chosen: NDArray[np.bool_] = np.ones(len(true.labels), bool)
        false: FloatArray = np.ones(len(scores))
        if name != ALL:
            chosen = in_range(truths.motion, name)
            share = float(chosen.mean()) if len(chosen) else 0.0
            false = false_weights(pairs, counts, chosen, share)
        positives = np.zeros((len(truths.names), truths.classes), np.int64)
        np.add.at(positives, (true.clips[chosen], true.labels[chosen]), 1)
        result[name] = Outcomes(
            scores, found.labels, found.clips, _hits_in(hits, chosen),
            np.where(neither, 0.0, false), positives,
        )
    return result


def _hits_in(found: NDArray[np.int64], chosen: NDArray[np.bool_]) -> FloatArray:
    result = np.zeros(len(found))
    hit = found >= 0
    result[hit] = chosen[found[hit]]
    return result


def _in_crowds(
    truths: Truths, detections: Sequence[Sequence[Detections]], found: Frames, rule: Rule
) -> NDArray[np.bool_]:
    """Tell which detections lie in a crowd of their class, frame by frame: crowds are rare."""
    result = np.zeros(len(found.labels), bool)
    ends = np.cumsum(found.counts)
    for number, at, index, truth in truths.crowded():
        rows = slice(ends[number] - found.counts[number], ends[number])
        result[rows] = in_crowd(detections[at][index], truth, rule)
    return result


def summarise(judged: Mapping[Rule, Mapping[str, Outcomes]], labels: Sequence[str]) -> Metrics:
    """
    Turn outcomes into average precisions.

    :param judged: by each rule, what :func:`score` gives.
    """
    plain, tolerant = judged[Rule.PLAIN], judged[Rule.TOLERANT]
    means = {
        name: Precision(*(mean_average_precision(one[name]) for one in (plain, tolerant)))
        for name in (ALL, *SPEEDS)
    }
    classes = class_average_precisions(plain[ALL]), class_average_precisions(tolerant[ALL])
    return Metrics(
        means[ALL].map50, means[ALL].map50_tolerant,
        by_speed={name: means[name] for name in SPEEDS},
        by_class={
            label: Precision(float(value), _plain(other))
            for label, value, other in zip(labels, *classes) if np.isfinite(value)
        },
    )


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
