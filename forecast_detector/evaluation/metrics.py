"""All numbers of the ImageNet VID protocol, from detections and truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.base import Truth
from ..types import Detections
from .average_precision import class_average_precisions, mean_average_precision, Outcomes
from .matching import FloatArray, in_crowd, match_frame, Rule
from .motion import false_weights, in_range, motion_iou, SPEEDS

ALL = 'all'


@dataclass(frozen=True)
class ScoredClip:
    """
    What was detected in a clip and what was there, frame by frame.

    :raises ValueError: if the two do not count the same frames.
    """

    name: str
    detections: Sequence[Detections]
    truths: Sequence[Truth]

    def __post_init__(self) -> None:
        """Compare the lengths."""
        if len(self.detections) != len(self.truths):
            raise ValueError(
                f'clip {self.name}: detections of {len(self.detections)} frames, truth of '
                f'{len(self.truths)}; give one Detections a frame, empty where nothing is seen'
            )

    @property
    def annotated(self) -> int:
        """Number of frames that have a truth, be it empty, and are scored."""
        return sum(truth.annotated for truth in self.truths)


@dataclass(frozen=True)
class Metrics:
    """
    Mean average precisions in [0, 1]; None where there is no object.

    :ivar by_speed: ``slow``, ``medium``, ``fast`` to ``map50`` and ``map50_tolerant``.
    :ivar by_class: class name to ``map50`` and ``map50_tolerant``.
    """

    map50: float | None
    map50_tolerant: float | None
    by_speed: dict[str, dict[str, float | None]]
    by_class: dict[str, dict[str, float | None]]


class _Columns:
    """Grows the columns of an :class:`Outcomes`."""

    def __init__(self, clips: int, classes: int) -> None:
        self.true: list[FloatArray] = []
        self.false: list[FloatArray] = []
        self.positives = np.zeros((clips, classes), np.int64)


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
    motion = [motion_iou(clip.truths) for clip in clips] if speeds else []
    share = _shares(motion, speeds)
    columns = {name: _Columns(len(clips), classes) for name in (ALL, *speeds)}
    frames = list(_frames(clips, classes))
    for at, index, detections, truth in frames:
        found, shared = match_frame(detections, truth, rule)
        neither = (found >= 0) | in_crowd(detections, truth, rule)
        chosen: NDArray[np.bool_]
        false: FloatArray
        for name, column in columns.items():
            if name == ALL:
                chosen, false = np.ones(len(truth), bool), np.ones(len(found))
            else:
                chosen = in_range(motion[at][index], name)
                false = false_weights(shared, chosen, share[name])
            column.true.append(_hits_in(found, chosen))
            column.false.append(np.where(neither, 0.0, false))
            np.add.at(column.positives[at], truth.labels[chosen], 1)
    return _assemble(frames, columns)


def _hits_in(found: NDArray[np.int64], chosen: NDArray[np.bool_]) -> FloatArray:
    result = np.zeros(len(found))
    hit = found >= 0
    result[hit] = chosen[found[hit]]
    return result


def _shares(motion: Sequence[Sequence[FloatArray]], speeds: Sequence[str]) -> dict[str, float]:
    """Share of all boxes that each speed has."""
    values = np.concatenate([np.zeros(0), *(frame for clip in motion for frame in clip)])
    return {
        name: float(in_range(values, name).mean()) if len(values) else 0.0 for name in speeds
    }


def _frames(
    clips: Sequence[ScoredClip], classes: int
) -> Iterator[tuple[int, int, Detections, Truth]]:
    for at, clip in enumerate(clips):
        for index, (detections, truth) in enumerate(zip(clip.detections, clip.truths)):
            if not truth.annotated:
                continue
            for kind, labels in (('detected', detections.labels), ('true', truth.labels)):
                if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
                    raise ValueError(
                        f'clip {clip.name}, frame {index}: {kind} labels {np.unique(labels)} '
                        f'do not all lie in [0, {classes}); the detections belong to other '
                        'class names'
                    )
            yield at, index, detections, truth


def _assemble(
    frames: Sequence[tuple[int, int, Detections, Truth]], columns: dict[str, _Columns]
) -> dict[str, Outcomes]:
    def joined(parts: list[NDArray], kind: type) -> NDArray:
        return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)

    scores = joined([d.scores for _, _, d, _ in frames], np.float64)
    labels = joined([d.labels for _, _, d, _ in frames], np.int64)
    at = joined([np.full(len(d), clip) for clip, _, d, _ in frames], np.int64)
    return {
        name: Outcomes(
            scores, labels, at, joined(column.true, np.float64),
            joined(column.false, np.float64), column.positives,
        )
        for name, column in columns.items()
    }


def evaluate(clips: Sequence[ScoredClip], labels: Sequence[str]) -> Metrics:
    """
    Measure by the ImageNet VID protocol, in both variants.

    :param labels: class names that detections and truth index.
    """
    return summarise(judge(clips, len(labels)), labels)


def judge(clips: Sequence[ScoredClip], classes: int) -> dict[Rule, dict[str, Outcomes]]:
    """Judge every detection by both rules, see :func:`outcomes`."""
    return {rule: outcomes(clips, classes, rule) for rule in Rule}


def summarise(judged: Mapping[Rule, Mapping[str, Outcomes]], labels: Sequence[str]) -> Metrics:
    """Turn what :func:`judge` gave into average precisions."""
    keys = {'map50': Rule.PLAIN, 'map50_tolerant': Rule.TOLERANT}
    means = {
        name: {key: mean_average_precision(judged[rule][name]) for key, rule in keys.items()}
        for name in (ALL, *SPEEDS)
    }
    classes = {key: class_average_precisions(judged[rule][ALL]) for key, rule in keys.items()}
    return Metrics(
        means[ALL]['map50'],
        means[ALL]['map50_tolerant'],
        {name: means[name] for name in SPEEDS},
        {
            label: {key: _plain(values[i]) for key, values in classes.items()}
            for i, label in enumerate(labels)
            if np.isfinite(classes['map50'][i])
        },
    )


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
