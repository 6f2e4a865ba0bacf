"""The boxes of the last READ: carried along, fitted to how they looked, and doubted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .carrying import carried_back, carried_on, fitted, looks, PLACES, unexplained
from .flow import dense_flow, Flow, Grey, grey_thumbnail, halved, prepare
from .types import Detections

Floats = NDArray[np.float32]

# So much of a box that motion leaves unexplained, a share of the range of grey values, added up
# over frames, divides by e what doubt may take of its score.
DOUBT = 0.12
# Of a score from here on only what is above it is taken: who looks at these, as users do unless
# they say otherwise, sees no object vanish for doubt.
SHOWN = 0.3


class SmallPicture(NamedTuple):
    """
    What motion is measured on, and how boxes look.

    :ivar grey: (h, w); ``blurred``: the same, prepared for :func:`~.flow.dense_flow`.
    :ivar scale: (2,), pixels of the boxes in one of its, right and down.
    """

    grey: Grey
    blurred: Grey
    scale: Floats

    @classmethod
    def of(cls, image: NDArray[np.uint8], size: tuple[int, int]) -> SmallPicture:
        """
        Make it of an image.

        :param image: (H, W, 3), RGB; a smaller one of the same aspect gives the same.
        :param size: (width, height) of the image itself, which boxes are in.
        """
        grey = halved(grey_thumbnail(image))
        return cls.within(grey, prepare(grey), size[::-1])

    @classmethod
    def within(cls, grey: Grey, blurred: Grey, size: tuple[int, int]) -> SmallPicture:
        """
        Say what it is of.

        :param size: (height, width) of what boxes are in, pixels.
        """
        scale = np.array([size[1] / grey.shape[1], size[0] / grey.shape[0]], np.float32)
        return cls(grey, blurred, scale)


@dataclass(frozen=True)
class Kept:
    """
    The boxes of the last READ, as they are at the last frame. A step makes new ones.

    :ivar boxes: in pixels of the small picture, not cut at its border, with the READ's scores.
    :ivar doubt: of each, what of it motion has left unexplained since the READ, over ``DOUBT``.
    :ivar looks: of each, what it looked like at the READ, :func:`~.carrying.looks`.
    :ivar now: the last frame; ``before``: the frame before it. None where there was none.
    :ivar flow: (h, w, 2), where what is seen in the last frame was before, right and down, pixels;
        None where nobody has asked.
    """

    boxes: Detections = field(default_factory=Detections)
    doubt: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    looks: Floats = field(default_factory=lambda: np.zeros((0, PLACES, PLACES), np.float32))
    now: SmallPicture | None = None
    before: SmallPicture | None = None
    flow: Flow | None = None

    def read(self, found: Detections, picture: SmallPicture, flow: Flow | None = None) -> Kept:
        """
        Take those of the next frame, a READ: without doubt.

        :param flow: where what is seen in that frame was before, if that is known.
        """
        boxes = scaled(found, np.float32(1) / picture.scale)
        return Kept(boxes, np.zeros(len(found), np.float32), looks(picture.grey, boxes.boxes),
                    picture, self.now, flow)

    def moved(self, picture: SmallPicture, flow: Flow | None = None) -> Kept:
        """
        Carry them to the next frame.

        :param flow: where what is seen in that frame was before, if that is known; else it is
            searched where things went, which carries boxes a little better.
        """
        before = self.now
        if before is None or not len(self.boxes):
            return replace(self, now=picture, before=before, flow=flow)
        if before.grey.shape != picture.grey.shape:
            still = scaled(self.boxes, before.scale / picture.scale)
            return replace(self, boxes=still, now=picture, before=before, flow=None)
        if flow is None:
            onward = dense_flow(before.blurred, picture.blurred)
            missed = unexplained(before.blurred, picture.blurred, onward, self.boxes.boxes)
            moved, left = _carried(carried_on, self.boxes, onward)
            boxes, missed = fitted(picture.grey, moved.boxes, self.looks[left]), missed[left]
        else:
            moved, left = _carried(carried_back, self.boxes, flow)
            boxes = fitted(picture.grey, moved.boxes, self.looks[left])
            missed = unexplained(picture.blurred, before.blurred, flow, boxes)
        return Kept(
            Detections(boxes, moved.scores, moved.labels),
            self.doubt[left] + missed / np.float32(DOUBT), self.looks[left], picture, before, flow,
        )

    def ahead(self) -> Kept:
        """Carry them to a frame that has not come yet, as the picture last moved."""
        flow, now, before = self.flow, self.now, self.before
        if not len(self.boxes) or now is None:
            return self
        if flow is None:
            if before is None or before.grey.shape != now.grey.shape:
                return self
            flow = dense_flow(now.blurred, before.blurred)
        moved, left = _carried(carried_on, self.boxes, -flow)
        return Kept(moved, self.doubt[left], self.looks[left], now, before, flow)

    @property
    def detections(self) -> Detections:
        """Give them in pixels of what was read, with the scores of the READ."""
        return self.boxes if self.now is None else scaled(self.boxes, self.now.scale)

    def doubted(self, least: float = 0.0) -> Detections:
        """
        Give them as :attr:`detections`, by falling scores, which doubt has taken its share of.

        :param least: score from which they are asked for.
        """
        ours = self.detections
        return by_score(ours.boxes, less_doubt(ours.scores, self.doubt, least), ours.labels)


def less_doubt(scores: Floats, doubt: Floats, least: float) -> Floats:
    """Take from scores what doubt takes; those that are shown stay so."""
    floor = np.float32(max(SHOWN, least))
    floors = np.where(scores >= floor, floor, np.float32(0))
    return np.asarray(floors + (scores - floors) * np.exp(-doubt))


def scaled(found: Detections, by: Floats) -> Detections:
    """Give detections in other pixels, (2,): right and down."""
    boxes = np.asarray(found.boxes * np.tile(by, 2), np.float32)
    return Detections(boxes, found.scores, found.labels)


def by_score(boxes: Floats, scores: Floats, labels: NDArray[np.int64]) -> Detections:
    """Give detections by falling score, as others rely on it."""
    order = np.argsort(-scores, kind='stable')
    return Detections(boxes[order], scores[order], labels[order])


def _carried(
    how: Callable[[Detections, Flow], Detections], ours: Detections, flow: Flow
) -> tuple[Detections, NDArray[np.int64]]:
    """Carry boxes by some function; with the index of those that are left."""
    moved = how(Detections(ours.boxes, ours.scores, ours.labels, np.arange(len(ours))), flow)
    left = moved.ids if moved.ids is not None else np.zeros(0, np.int64)
    return Detections(moved.boxes, moved.scores, moved.labels), left
