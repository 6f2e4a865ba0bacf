"""Boxes carried by dense motion: each is moved and scaled as the picture under it is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Flow, Grey
from .types import Detections

FloatArray = NDArray[np.float32]

# A box has the motion of so many places in each direction, and its shift is that of those in the
# middle, where less of the background is.
PLACES = 9
MIDDLE = slice(2, -2)
# Where they lie, as shares of the side from its middle.
OFFSETS = ((np.arange(PLACES) + 0.5) / PLACES - 0.5).astype(np.float32)
SLOPE = OFFSETS / np.square(OFFSETS).sum()
# Most that a box grows or shrinks from one frame to the next, a share of its sides.
MOST_GROWTH = 0.2
# A box is fitted to its look in such steps, shares of its sides, one after the other.
STEPS = (0.08, 0.04)
# What a step has to gain, a share of the range of grey values; less is noise.
LEAST_GAIN = 0.003
# Left and right, up and down, larger and smaller: by how many steps.
TRIED = np.array([
    (0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1),
], np.float32)
GREYS = np.float32(255)


def within(detections: Detections, size: tuple[int, int]) -> Detections:
    """
    Cut boxes at the border of the image; those that left it are gone.

    :param size: (width, height) of the image, pixels.
    """
    boxes = np.clip(detections.boxes, 0, np.array(size * 2, np.float32))
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes[kept], detections.scores[kept], detections.labels[kept])


def carried_back(detections: Detections, flow: Flow) -> Detections:
    """
    Carry boxes to a frame whose motion is known from there.

    :param flow: (h, w, 2), where what is seen in that frame was before, right and down. Boxes
        are in its pixels.
    """
    return _carried(detections, -flow, back=True)


def carried_on(detections: Detections, flow: Flow) -> Detections:
    """
    Carry boxes on by the motion of what they show.

    :param flow: (h, w, 2), where what is seen in their frame goes, right and down. Boxes are in
        its pixels.
    """
    return _carried(detections, flow)


def _carried(detections: Detections, flow: Flow, back: bool = False) -> Detections:
    """
    Move and scale boxes; those that show nothing in the picture any more are dropped.

    :param back: whether the flow is that of places where boxes go, and not where they are.
    """
    border = np.array(flow.shape[1::-1], np.float32)
    boxes: FloatArray = detections.boxes.reshape(-1, 2, 2)
    seen: FloatArray = np.clip(boxes, 0, border)
    kept = (seen[:, 0] < seen[:, 1]).all(axis=1)
    if not kept.any():
        return Detections()
    boxes, seen = boxes[kept], seen[kept]
    there = seen
    if back:
        there = seen + _shift(_at_places(flow, seen, OFFSETS[MIDDLE]))[:, None]
    found = _at_places(flow, there, OFFSETS)
    shift, growth = _shift(found[:, MIDDLE, MIDDLE]), _growth(found, seen)
    # The shift is that of the middle of the part that is seen.
    fixed = seen.mean(axis=1, keepdims=True)
    moved = fixed + shift[:, None] + (boxes - fixed) * (1 + growth[:, None, None])
    return Detections(
        moved.reshape(-1, 4).astype(np.float32), detections.scores[kept],
        detections.labels[kept], None if detections.ids is None else detections.ids[kept],
    )


def looks(grey: Grey, boxes: FloatArray) -> FloatArray:
    """
    Take what boxes look like, (N, PLACES, PLACES): grey values in [0, 1] at places in them.

    :param grey: (h, w); ``boxes``: (N, 4), in its pixels. Beyond its border that is repeated.
    """
    return _seen(grey, *_places(boxes)) / GREYS


def fitted(grey: Grey, boxes: FloatArray, wanted: FloatArray) -> FloatArray:
    """
    Move and scale boxes a little where that makes them look more like they should.

    :param grey: (h, w); ``boxes``: (N, 4), in its pixels.
    :param wanted: what they should look like, but for how bright, see :func:`looks`.
    """
    for step in STEPS if len(boxes) else ():
        middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        halves = sides * (1 + step * TRIED[:, None, 2:]) / 2
        there = middles + sides * step * TRIED[:, None, :2]
        tried = np.concatenate([there - halves, there + halves], axis=2)
        found = looks(grey, tried.reshape(-1, 4)).reshape(len(TRIED), *wanted.shape)
        costs = _unlike(found, wanted)
        costs[0] -= LEAST_GAIN
        boxes = np.asarray(tried[costs.argmin(axis=0), np.arange(len(boxes))], np.float32)
    return boxes


def _unlike(found: FloatArray, wanted: FloatArray) -> FloatArray:
    """Say how far looks are from those wanted, in shares of the range; light may change."""
    # One axis is summed up faster than two, and a sum is less to call than a mean.
    apart = (found - wanted).reshape(*found.shape[:-2], -1)
    places = np.float32(apart.shape[-1])
    apart -= np.add.reduce(apart, axis=-1, keepdims=True) / places
    return np.asarray(np.add.reduce(np.abs(apart, out=apart), axis=-1) / places)


def unexplained(here: Grey, there: Grey, flow: Flow, boxes: FloatArray) -> FloatArray:
    """
    Say what of boxes motion does not explain, (N,): the mean difference, a share of the range.

    :param here: (h, w), the picture that they lie in; ``boxes``: (N, 4), in its pixels.
    :param there: the other one, of the same size.
    :param flow: (h, w, 2), where what is seen in the one is in the other, right and down.
    """
    columns, rows = _places(boxes)
    moved = _seen(flow, columns, rows)
    other = _seen(there, columns + moved[..., 0], rows + moved[..., 1])
    apart = np.abs(_seen(here, columns, rows) - other)
    return np.asarray(apart.mean(axis=(1, 2)) / GREYS)


def _shift(found: FloatArray) -> FloatArray:
    """Find how boxes moved, (N, 2), by the motion at places, :func:`_at_places`."""
    return _median(found.reshape(len(found), -1, 2), axis=1)


def _growth(found: FloatArray, boxes: FloatArray) -> FloatArray:
    """
    Find by which share boxes grew, (N,).

    :param found: the motion at their places.
    :param boxes: (N, 2, 2), top left and bottom right corner.
    """
    # Where a box grows, its columns move apart, and its rows: slopes of their medians.
    apart = np.stack([_median(found[..., 0], axis=1), _median(found[..., 1], axis=2)], axis=2)
    slope = (apart * SLOPE[None, :, None]).sum(axis=1)
    side = boxes[:, 1] - boxes[:, 0]
    growth = (slope / np.maximum(side, 1)).mean(axis=1)
    return np.clip(growth, -MOST_GROWTH, MOST_GROWTH)


def _median(values: FloatArray, axis: int) -> FloatArray:
    """Give the median of an odd number of values, which takes NumPy's several times as long."""
    return np.asarray(np.sort(values, axis=axis).take(values.shape[axis] // 2, axis=axis))


def _at_places(flow: FloatArray, boxes: FloatArray, offsets: FloatArray) -> FloatArray:
    """
    Take the flow at places of each box, (N, rows, columns, 2).

    :param boxes: (N, 2, 2), top left and bottom right corner.
    :param offsets: of rows and columns, shares of the side from its middle.
    """
    return _seen(flow, *_places(boxes.reshape(-1, 4), offsets))


def _places(
    boxes: FloatArray, offsets: FloatArray = OFFSETS
) -> tuple[FloatArray, FloatArray]:
    """Give columns and rows of places in boxes, (N, 4); each (N, rows, columns)."""
    count, corner = len(offsets), boxes[:, :2]
    side = boxes[:, 2:] - corner
    # Pixel k has its middle at k + 0.5.
    places = (corner + side / 2 - 0.5)[:, None] + side[:, None] * offsets[:, None]
    # OpenCV wants each of its own; NumPy's broadcasting is slow to begin.
    columns, rows = np.empty((2, len(boxes), count, count), np.float32)
    columns[:], rows[:] = places[:, None, :, 0], places[:, :, None, 1]
    return columns, rows


def _seen(values: NDArray[Any], columns: FloatArray, rows: FloatArray) -> FloatArray:
    """Take values between pixels, (N, rows, columns, ...); beyond the border that is repeated."""
    if not len(columns):
        return np.zeros((*columns.shape, *values.shape[2:]), np.float32)
    shape = (-1, columns.shape[-1])
    found = cv2.remap(values, columns.reshape(shape), rows.reshape(shape), cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(*columns.shape, *values.shape[2:])
