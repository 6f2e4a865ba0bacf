"""All figures of some runs, by what they are judged by: a truth, or what reading gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..data.base import Truth
from ..records.evaluation import Found, Metrics, Precision
from ..types import Detections
from .average_precision import class_average_precisions, mean_average_precision, Outcomes
from .columns import Truths
from .matching import Rule
from .metrics import ALL, score, ScoredClip, summarise
from .motion import SPEEDS
from .seen import frames_to_find, overlaps, seen, share

FrameTruths = Sequence[Sequence[Truth]]


@dataclass(frozen=True)
class Judging:
    """
    What detections are judged by.

    :ivar threshold: score from which a user sees a detection.
    :ivar reading: detections from this score on, of a run that reads every frame, stand in the
        place of the truth. None: the truth itself.
    """

    threshold: float = 0.3
    reading: float | None = None

    @property
    def by_reading(self) -> bool:
        """Whether figures tell the agreement with reading."""
        return self.reading is not None


BY_TRUTH = Judging()


class Judged(NamedTuple):
    """
    Figures of some runs.

    :ivar outcomes: what became of each detection, for intervals and comparisons.
    """

    metrics: Metrics
    found: Found
    outcomes: Outcomes


class Scorer:
    """Judges run after run by one truth, or by what stands in its place."""

    def __init__(
        self, names: Sequence[str], truths: FrameTruths, labels: Sequence[str],
        judging: Judging = BY_TRUTH, annotations: FrameTruths | None = None,
    ) -> None:
        """
        Take the truth of every frame.

        :param names: of the clips.
        :param labels: class names that detections and truth index.
        :param annotations: what is annotated beside it, be it in part.
        """
        self.labels, self.judging = labels, judging
        self._truths = Truths(names, truths, len(labels))
        self._annotated = Truths(names, annotations, len(labels)) if annotations else None

    def judge(self, detections: Sequence[Sequence[Detections]]) -> Judged:
        """Judge detections, clip by clip and frame by frame."""
        if self.judging.by_reading:
            judged = score(self._truths, detections, Rule.PLAIN)
            metrics, outcomes = agreement(judged, self.labels), pooled(judged[ALL])
        else:
            both = {rule: score(self._truths, detections, rule) for rule in Rule}
            metrics, outcomes = summarise(both, self.labels), both[Rule.PLAIN][ALL]
        return Judged(metrics, self._found(detections), outcomes)

    def _found(self, detections: Sequence[Sequence[Detections]]) -> Found:
        shown = [[one.above(self.judging.threshold) for one in clip] for clip in detections]
        hits = seen(self._truths, shown)
        found = Found(
            recall50=share(hits),
            frames_to_find=frames_to_find(self._truths, hits, self.judging.by_reading),
        )
        if self._annotated is None:
            return found
        return replace(
            found, annotated_recall50=share(seen(self._annotated, shown)),
            annotated_overlap=share(overlaps(self._annotated, shown)),
        )


def judge(
    clips: Sequence[ScoredClip], labels: Sequence[str], judging: Judging = BY_TRUTH
) -> Judged:
    """Judge the detections of clips."""
    annotated = [clip.annotations for clip in clips if clip.annotations is not None]
    return Scorer(
        [clip.name for clip in clips], [clip.truths for clip in clips], labels, judging,
        annotated,
    ).judge([clip.detections for clip in clips])


def pooled(outcomes: Outcomes) -> Outcomes:
    """
    Take the detections of all classes together; each still has to find an object of its class.

    A mean over classes would give one with three boxes as much weight as one with a thousand.
    """
    return replace(
        outcomes, labels=np.zeros_like(outcomes.labels),
        positives=outcomes.positives.sum(axis=1, keepdims=True),
    )


def agreement(judged: Mapping[str, Outcomes], labels: Sequence[str]) -> Metrics:
    """
    Turn outcomes by the plain rule into agreements: average precisions over the pooled classes.

    :param judged: all outcomes, and those of each speed.
    """
    value = {name: mean_average_precision(pooled(one)) for name, one in judged.items()}
    classes = class_average_precisions(judged[ALL])
    return Metrics(
        agreement50=value[ALL],
        by_speed={speed: Precision(agreement50=value[speed]) for speed in SPEEDS},
        by_class={label: Precision(agreement50=float(one))
                  for label, one in zip(labels, classes) if np.isfinite(one)},
    )
