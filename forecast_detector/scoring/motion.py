"""How fast objects move, and average precision by speed (Zhu et al., FGFA, 2017, section 4.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.base import Truth
from .matching import FloatArray, IntArray, paired_iou, Pairs

REACH = 10

# Motion IoU of each range; both ends belong to it, as in the public tool.
SPEEDS: dict[str, tuple[float, float]] = {
    'slow': (0.9, 1.0),
    'medium': (0.7, 0.9),
    'fast': (0.0, 0.7),
}


def motion_iou(truths: Sequence[Truth]) -> list[FloatArray]:
    """
    Mean IoU of each box with the boxes of its track up to 10 frames before and after.

    Frames are those of the clip as it is evaluated: at stride 3 the video is three times as
    fast, for the detector and so for its objects.

    :param truths: the frames of one clip, in order.
    :returns: per frame (M,), in [0, 1]; 1 for a box without a neighbour, NaN for one whose
        track is unknown.
    """
    result = [np.where(truth.tracks >= 0, 1.0, np.nan) for truth in truths]
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for index, truth in enumerate(truths):
        for row, track in enumerate(truth.tracks):
            places[int(track)].append((index, row))
    for track, rows in places.items():
        if track >= 0:
            boxes = np.array([truths[i].boxes[row] for i, row in rows], np.float64)
            values = _track_motion(np.array([i for i, _ in rows]), boxes)
            for (index, row), value in zip(rows, values):
                result[index][row] = value
    return result


def _track_motion(times: NDArray[np.int64], boxes: FloatArray) -> FloatArray:
    """Motion IoU of the boxes (T, 4) of one track at their frames (T,), rising."""
    total, count = np.zeros(len(times)), np.zeros(len(times))
    for lag in range(1, REACH + 1):
        # A track has one box a frame, so its neighbour lies at most `lag` rows further.
        later = np.searchsorted(times, times + lag)
        here = np.flatnonzero(later < len(times))
        here = here[times[later[here]] == times[here] + lag]
        there = later[here]
        shared = paired_iou(boxes[here], boxes[there])
        for rows in (here, there):
            np.add.at(total, rows, shared)
            np.add.at(count, rows, 1)
    return np.where(count > 0, total / np.maximum(count, 1), 1.0)


def in_range(motion: FloatArray, speed: str) -> NDArray[np.bool_]:
    """Tell which boxes have this speed; one of unknown motion has none."""
    low, high = SPEEDS[speed]
    return (motion >= low) & (motion <= high)


def false_weights(
    pairs: Pairs, counts: tuple[IntArray, IntArray], chosen: NDArray[np.bool_],
    share_of_all: float,
) -> FloatArray:
    """
    Weigh detections that found nothing, for one range of speed.

    The public tool's rule, oddities included. The box (of any class) that a detection
    overlaps most decides: in range, it is a whole false detection; out of range, none. A tie
    weighs the share of the frame's boxes that are *out* of range; in a frame without
    boxes, the share of all boxes of the data set that are in range.

    :param pairs: detections beside the boxes of their frames.
    :param counts: number of detections and of boxes in each frame, (F,) each.
    :param chosen: (M,) whether a box is in range.
    :param share_of_all: share of the data set's boxes that are in range.
    :returns: (N,) weights in [0, 1].
    """
    detections, boxes = counts
    inside, outside = (np.full(int(detections.sum()), -1.0) for _ in range(2))
    here = chosen[pairs.true]
    np.maximum.at(inside, pairs.detected[here], pairs.shared[here])
    np.maximum.at(outside, pairs.detected[~here], pairs.shared[~here])
    passed_over = np.bincount(
        np.repeat(np.arange(len(boxes)), boxes), ~chosen, minlength=len(boxes)
    )
    tie = np.where(boxes > 0, passed_over / np.maximum(boxes, 1), share_of_all)
    return np.where(
        inside > outside, 1.0, np.where(outside > inside, 0.0, np.repeat(tie, detections))
    )
