"""Which detection found which object: overlap rules and the greedy match of one frame."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..boxes import area, iou
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


def overlaps(
    detected: NDArray[np.floating], true: NDArray[np.floating], rule: Rule
) -> FloatArray:
    """IoU of every detected (N, 4) with every true box (M, 4), counted by the rule: (N, M)."""
    return np.asarray(iou(_counted(detected, rule), _counted(true, rule)), np.float64)


def thresholds(true: NDArray[np.floating], rule: Rule) -> FloatArray:
    """Overlap that each true box (M, 4) asks of its detection, (M,)."""
    if rule is Rule.PLAIN:
        return np.full(len(true), 0.5)
    boxes = _counted(true, rule)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    tolerated = width * height / ((width + TOLERANCE_PX) * (height + TOLERANCE_PX))
    return np.minimum(0.5, tolerated)


def match_frame(
    detections: Detections, truth: Truth, rule: Rule
) -> tuple[IntArray, FloatArray]:
    """
    Give each detection the object that it found.

    By falling score (equal scores: the first first), each takes the free object of its class
    with the highest overlap that satisfies the rule.

    :returns: (N,) index of the object, -1 for none; and the overlaps (N, M).
    """
    shared = overlaps(detections.boxes, truth.boxes, rule)
    allowed = (shared >= thresholds(truth.boxes, rule)) & (
        detections.labels[:, None] == truth.labels[None, :]
    )
    found = np.full(len(detections), -1, np.int64)
    taken = np.zeros(len(truth), bool)
    candidates = np.flatnonzero(allowed.any(axis=1))
    for row in candidates[np.argsort(-detections.scores[candidates], kind='stable')]:
        free = np.where(allowed[row] & ~taken, shared[row], -1.0)
        best = int(free.argmax())
        if free[best] >= 0:
            found[row], taken[best] = best, True
    return found, shared


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
