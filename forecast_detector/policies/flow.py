"""Boxes carried by dense motion: each is moved and scaled as the picture under it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..engine.reading import load_image
from ..flow import dense_flow, Flow, Grey, grey_thumbnail, prepare
from ..types import Detections, Frame

FloatArray = NDArray[np.float32]

# A box has the motion of so many places in each direction, and its shift is that of those in the
# middle, where less of the background is.
PLACES = 9
MIDDLE = slice(2, -2)
# Where they lie, as shares of the side from its middle.
OFFSETS = ((np.arange(PLACES) + 0.5) / PLACES - 0.5).astype(np.float32)
# Most that a box grows or shrinks from one frame to the next, a share of its sides.
MOST_GROWTH = 0.2


class FlowBoxes:
    """Carries the detections of the last READ from frame to frame by dense motion."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the last detections and pictures."""
        self._last = Detections()
        self._before: Grey | None = None
        self._now: Grey | None = None
        # Pixels of the image in one of the picture, right and down.
        self._scale: FloatArray = np.ones(2, np.float32)

    def read(self, detections: Detections, frame: Frame) -> Detections:
        """Keep the detections."""
        self._see(frame)
        self._last = detections
        return detections

    def skip(self, frame: Frame | None) -> Detections:
        """Carry them on; to a frame that has not come yet as the last two frames moved."""
        if frame is not None:
            self._see(frame)
        before, now = self._before, self._now
        if before is None or now is None or before.shape != now.shape or not len(self._last):
            return self._last
        flow = dense_flow(before, now) if frame is not None else -dense_flow(now, before)
        self._last = _carried(self._last, flow, self._scale)
        return self._last

    def _see(self, frame: Frame) -> None:
        image = load_image(frame)
        self._before, self._now = self._now, prepare(grey_thumbnail(image))
        size = frame.size or (image.shape[1], image.shape[0])
        self._scale = (np.array(size) / self._now.shape[::-1]).astype(np.float32)


def _carried(detections: Detections, flow: Flow, scale: FloatArray) -> Detections:
    """Move and scale boxes; those that show nothing in the picture any more are dropped."""
    border = np.array(flow.shape[1::-1], np.float32)
    boxes = detections.boxes.reshape(-1, 2, 2) / scale
    seen = np.clip(boxes, 0, border)
    kept = (seen[:, 0] < seen[:, 1]).all(axis=1)
    if not kept.any():
        return Detections()
    boxes, seen = boxes[kept], seen[kept]
    shift, growth = _motion(flow, seen)
    # The shift is that of the middle of the part that is seen.
    fixed = seen.mean(axis=1, keepdims=True)
    moved = fixed + shift[:, None] + (boxes - fixed) * (1 + growth[:, None, None])
    return Detections(
        (moved * scale).reshape(-1, 4).astype(np.float32), detections.scores[kept],
        detections.labels[kept],
    )


def _motion(flow: Flow, boxes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """
    Find how boxes moved, and by which share they grew.

    :param boxes: (N, 2, 2), top left and bottom right corner, within the picture; N at least 1.
    :returns: shifts, (N, 2), and growths, (N,).
    """
    found = _at_places(flow, boxes)
    shift = np.median(found[:, MIDDLE, MIDDLE].reshape(len(boxes), -1, 2), axis=1)
    # Where a box grows, its columns move apart, and its rows: slopes of their medians.
    apart = np.stack([np.median(found[..., 0], axis=1), np.median(found[..., 1], axis=2)], axis=2)
    slope = (apart * OFFSETS[None, :, None]).sum(axis=1) / (OFFSETS ** 2).sum()
    side = boxes[:, 1] - boxes[:, 0]
    growth = (slope / np.maximum(side, 1)).mean(axis=1)
    return shift, np.clip(growth, -MOST_GROWTH, MOST_GROWTH)


def _at_places(flow: Flow, boxes: FloatArray) -> FloatArray:
    """Take the flow at places of each box, (N, rows, columns, 2)."""
    side = boxes[:, 1] - boxes[:, 0]
    # Pixel k has its middle at k + 0.5.
    places = boxes.mean(axis=1)[:, None] + side[:, None] * OFFSETS[None, :, None] - 0.5
    columns, rows = np.broadcast_arrays(places[:, None, :, 0], places[:, :, None, 1])
    found = cv2.remap(
        flow, columns.reshape(-1, PLACES), rows.reshape(-1, PLACES), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found, np.float32).reshape(-1, PLACES, PLACES, 2)
