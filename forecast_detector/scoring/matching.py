"""Which detection found which object: overlap rules and the greedy match."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..boxes import area
from ..data.base import Truth
from ..types import Detections

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TOLERANCE_PX = 10.0


class Rule(str, Enum):
    """
    The two readings of "overlaps enough" in use for ImageNet VID.

    ``plain`` is an IoU of at least one half. ``tolerant`` counts the sides of boxes with one
    pixel more, and lowers the threshold for small objects: min(1/2, wh / ((w+10)(h+10))).
    """

    PLAIN = 'plain'
    TOLERANT = 'tolerant'


def _counted(boxes: NDArray[np.floating], rule: Rule) -> FloatArray:
    extra = 1.0 if rule is Rule.TOLERANT else 0.0
    return np.asarray(boxes, np.float64) + np.array([0.0, 0.0, extra, extra])


def paired_iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """IoU of each box of ``a`` (N, 4) with its counterpart in ``b`` (N, 4)."""
    size = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    overlap = np.clip(size, 0, None).prod(axis=1)
    union = area(a) + area(b) - overlap
    return np.asarray(np.where(union > 0, overlap / np.maximum(union, 1e-12), 0.0))


def thresholds(true: NDArray[np.floating], rule: Rule) -> FloatArray:
    """Overlap that each true box (M, 4) asks of its detection, (M,)."""
    if rule is Rule.PLAIN:
        return np.full(len(true), 0.5)
    boxes = _counted(true, rule)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    tolerated = width * height / ((width + TOLERANCE_PX) * (height + TOLERANCE_PX))
    return np.minimum(0.5, tolerated)


@dataclass(frozen=True)
class Pairs:
    """
    Every detection of some frames beside every object of its frame, detection by detection.

    :ivar detected: (P,) index of the detection, rising; ``true``: (P,) of the object.
    :ivar shared: (P,) overlap of the two, counted by the rule.
    """

    detected: IntArray
    true: IntArray
    shared: FloatArray

    @classmethod
    def of(
        cls, counts: tuple[IntArray, IntArray],
        boxes: tuple[NDArray[np.floating], NDArray[np.floating]], rule: Rule,
    ) -> Pairs:
        """
        Pair what lies in the same frame.

        :param counts: number of detections and of objects in each frame, (F,) each.
        :param boxes: of all detections (N, 4) and of all objects (M, 4), frame by frame.
        """
        detections, objects = counts
        beside = np.repeat(objects, detections)
        first = np.repeat(np.cumsum(objects) - objects, detections)
        detected = np.repeat(np.arange(len(beside)), beside)
        place = np.arange(len(detected)) - np.repeat(np.cumsum(beside) - beside, beside)
        true = np.repeat(first, beside) + place
        shared = paired_iou(_counted(boxes[0], rule)[detected], _counted(boxes[1], rule)[true])
        return cls(detected, true, shared)


def match(
    pairs: Pairs, scores: NDArray[np.floating], labels: tuple[IntArray, IntArray],
    asked: FloatArray,
) -> IntArray:
    """
    Give each detection the object that it found.

    By falling score (equal scores: the first first), each takes the free object of its class
    with the highest overlap that is enough.

    :param scores: (N,) of the detections.
    :param labels: of detections (N,) and of objects (M,).
    :param asked: (M,) the overlap that each object asks, see :func:`thresholds`.
    :returns: (N,) index of the object, -1 for none.
    """
    enough = (pairs.shared >= asked[pairs.true]) & (
        labels[0][pairs.detected] == labels[1][pairs.true]
    )
    detected, true, shared = pairs.detected[enough], pairs.true[enough], pairs.shared[enough]
    found = np.full(len(scores), -1, np.int64)
    taken = np.zeros(len(asked), bool)
    order = np.lexsort((true, -shared, detected, -scores[detected]))
    for row, column in zip(detected[order], true[order]):
        if found[row] < 0 and not taken[column]:
            found[row], taken[column] = column, True
    return found


def match_frame(
    detections: Detections, truth: Truth, rule: Rule
) -> tuple[IntArray, FloatArray]:
    """
    Give each detection of one frame the object that it found, see :func:`match`.

    :returns: (N,) index of the object, -1 for none; and the overlaps (N, M).
    """
    counts = np.array([len(detections)]), np.array([len(truth)])
    pairs = Pairs.of(counts, (detections.boxes, truth.boxes), rule)
    found = match(
        pairs, detections.scores, (detections.labels, truth.labels), thresholds(truth.boxes, rule)
    )
    return found, pairs.shared.reshape(len(detections), len(truth))


def in_crowd(detections: Detections, truth: Truth, rule: Rule) -> NDArray[np.bool_]:
    """
    Tell which detections lie in a crowd of their class; COCO's rule for ``iscrowd``.

    A crowd holds any number of detections: those of which the share that the rule asks as IoU
    lies inside. Unless it found an object, such a detection counts neither way.

    :returns: (N,)
    """
    if not len(truth.crowd_labels):
        return np.zeros(len(detections), bool)
    boxes, crowds = _counted(detections.boxes, rule), _counted(truth.crowd_boxes, rule)
    top_left = np.maximum(boxes[:, None, :2], crowds[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], crowds[None, :, 2:])
    inside = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    whole = np.asarray(area(boxes), np.float64)[:, None]
    enough = (whole > 0) & (inside >= thresholds(truth.crowd_boxes, rule) * whole)
    same_class = detections.labels[:, None] == truth.crowd_labels[None, :]
    return np.asarray((enough & same_class).any(axis=1))
