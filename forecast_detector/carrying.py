"""Boxes carried by dense motion: each is moved and scaled as the picture under it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import dense_flow, Flow, Grey, grey_thumbnail, prepare
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


class SmallPicture(NamedTuple):
    """
    What motion is measured on.

    :ivar grey: thumbnail of an image, prepared for :func:`~.flow.dense_flow`.
    :ivar size: (width, height) of the image, pixels.
    """

    grey: Grey
    size: tuple[int, int]

    @classmethod
    def of(cls, image: NDArray[np.uint8], size: tuple[int, int]) -> SmallPicture:
        """
        Make it of an image.

        :param image: (H, W, 3), RGB; a smaller one of the same aspect gives the same.
        :param size: of the image itself.
        """
        return cls(prepare(grey_thumbnail(image)), size)


@dataclass(frozen=True)
class CarriedBoxes:
    """
    Detections of a READ, carried from frame to frame. A step makes new ones.

    :ivar detections: at the last frame, in pixels of its image and not cut at its border.
    :ivar now: the last frame; ``before``: the frame before it. None where there was none.
    """

    detections: Detections = field(default_factory=Detections)
    now: SmallPicture | None = None
    before: SmallPicture | None = None

    def read(self, detections: Detections, picture: SmallPicture) -> CarriedBoxes:
        """Take in the detections of the next frame, which is READ."""
        return CarriedBoxes(detections, picture, self.now)

    def carry(self, picture: SmallPicture) -> CarriedBoxes:
        """Carry them on to the next frame."""
        return CarriedBoxes(self.detections, picture, self.now)._moved(ahead=False)

    def anticipate(self) -> CarriedBoxes:
        """Carry them on to a frame that has not come yet, as the last two frames moved."""
        return self._moved(ahead=True)

    def _moved(self, ahead: bool) -> CarriedBoxes:
        before, now = self.before, self.now
        if (
            before is None or now is None or before.grey.shape != now.grey.shape
            or not len(self.detections)
        ):
            return self
        flow = -dense_flow(now.grey, before.grey) if ahead else dense_flow(before.grey, now.grey)
        # Pixels of the image in one of the picture, right and down.
        scale = (np.array(now.size) / now.grey.shape[::-1]).astype(np.float32)
        return replace(self, detections=_carried(self.detections, flow, scale))


def within(detections: Detections, size: tuple[int, int]) -> Detections:
    """
    Cut boxes at the border of the image; those that left it are gone.

    :param size: (width, height) of the image, pixels.
    """
    boxes = np.clip(detections.boxes, 0, np.array(size * 2, np.float32))
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes[kept], detections.scores[kept], detections.labels[kept])


def carried_back(detections: Detections, flow: Flow, scale: float) -> Detections:
    """
    Carry boxes to a frame whose motion is known from there.

    :param flow: (h, w, 2), where what is seen in that frame was before, right and down, in its
        own pixels; ``scale``: pixels of the boxes in one of these.
    """
    return _carried(detections, -flow, np.full(2, scale, np.float32), back=True)


def carried_on(detections: Detections, flow: Flow, scale: float) -> Detections:
    """
    Carry boxes on to a frame that has not come yet, as the picture last moved.

    :param flow: (h, w, 2), where what is seen in their frame was before, right and down, in its
        own pixels; ``scale``: pixels of the boxes in one of these.
    """
    return _carried(detections, -flow, np.full(2, scale, np.float32))


def _carried(
    detections: Detections, flow: Flow, scale: FloatArray, back: bool = False
) -> Detections:
    """
    Move and scale boxes; those that show nothing in the picture any more are dropped.

    :param back: whether the flow is that of places where boxes go, and not where they are.
    """
    border = np.array(flow.shape[1::-1], np.float32)
    boxes = detections.boxes.reshape(-1, 2, 2) / scale
    seen = np.clip(boxes, 0, border)
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
        (moved * scale).reshape(-1, 4).astype(np.float32), detections.scores[kept],
        detections.labels[kept], None if detections.ids is None else detections.ids[kept],
    )


def mean_in(values: FloatArray, boxes: FloatArray, scale: float) -> FloatArray:
    """
    Average a map over boxes, (N,): at the places where their motion is taken.

    :param values: (h, w); ``boxes``: (N, 4); ``scale``: pixels of the boxes in one of the map's.
    """
    if not len(boxes):
        return np.zeros(0, np.float32)
    border = np.array(values.shape[::-1], np.float32)
    seen = np.clip(boxes.reshape(-1, 2, 2) / np.float32(scale), 0, border)
    found = _at_places(values, seen, OFFSETS)
    return np.asarray(found.reshape(len(boxes), -1).mean(axis=1), np.float32)


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
    Take the flow, or another map, at places of each box, (N, rows, columns, 2).

    :param boxes: (N, 2, 2), top left and bottom right corner; N at least 1.
    :param offsets: of rows and columns, shares of the side from its middle.
    """
    count, side = len(offsets), boxes[:, 1] - boxes[:, 0]
    # Pixel k has its middle at k + 0.5.
    places = boxes.mean(axis=1)[:, None] + side[:, None] * offsets[None, :, None] - 0.5
    columns, rows = np.broadcast_arrays(places[:, None, :, 0], places[:, :, None, 1])
    found = cv2.remap(
        flow, columns.reshape(-1, count), rows.reshape(-1, count), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found, np.float32).reshape(-1, count, count, *flow.shape[2:])
