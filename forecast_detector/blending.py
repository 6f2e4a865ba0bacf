"""
Forecasts blended with the boxes of the last READ, which are carried along.

Maps that are moved again and again fade, and so do the scores that the head makes of them; boxes
that are carried keep theirs, but know nothing of what has changed since. Together they find more
than either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .boxes import iou
from .carrying import carried_back, carried_on, mean_in
from .flow import Flow
from .types import Detections

Floats = NDArray[np.float32]

# From this overlap on a forecast and a carried box of its class are of one object.
SAME = 0.5
# How much of a carried place is taken.
PLACE = 0.5
# Weaker boxes are not blended, and not carried.
WEAKEST = 0.05
# What motion leaves unexplained of a box, a share of the range of grey values, added up over
# frames, that divides what is taken of its score by e.
DOUBT = 0.25
# Of a score above this one only what is above it is taken: who looks at these, as users do unless
# they say otherwise, sees no object vanish for doubt.
SHOWN = 0.3


@dataclass(frozen=True)
class Kept:
    """
    The boxes of the last READ, carried along.

    :ivar detections: as they are at the last frame, in pixels of the network's input; their
        scores are those of the READ.
    :ivar doubt: of each, what of it motion has left unexplained since the READ, over ``DOUBT``.
    :ivar flow: (h, w, 2), where what is seen in that frame was before, right and down, pixels of
        the thumbnail; None where that is not known.
    """

    detections: Detections = field(default_factory=Detections)
    doubt: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    flow: Flow | None = None

    @classmethod
    def of(cls, found: Detections, flow: Flow | None = None, least: float = WEAKEST) -> Kept:
        """Take those of a READ that are sure enough: without doubt."""
        kept = found.above(least)
        return cls(kept, np.zeros(len(kept), np.float32), flow)

    def moved(self, flow: Flow, reduction: int, unexplained: Floats) -> Kept:
        """
        Carry them to the next frame.

        :param flow: of that frame; ``reduction``: how many times smaller than the input it is.
        :param unexplained: what of that frame motion does not explain, (h, w), shares of the
            range of grey values.
        """
        moved, doubt = self._carried(carried_back, flow, reduction)
        cell = flow.shape[1] * reduction / unexplained.shape[1]
        doubt = doubt + mean_in(unexplained, moved.boxes, cell) / np.float32(DOUBT)
        return Kept(moved, doubt, flow)

    def ahead(self, reduction: int) -> Kept:
        """Carry them to a frame that has not come yet, as the picture last moved."""
        if self.flow is None:
            return self
        return Kept(*self._carried(carried_on, self.flow, reduction), self.flow)

    def _carried(
        self, how: Callable[[Detections, Flow, float], Detections], flow: Flow, reduction: int,
    ) -> tuple[Detections, Floats]:
        """Carry them by some function; with the doubt of those that are left."""
        ours = self.detections
        numbered = Detections(ours.boxes, ours.scores, ours.labels, np.arange(len(ours)))
        moved = how(numbered, flow, reduction)
        left = moved.ids if moved.ids is not None else np.zeros(0, np.int64)
        return Detections(moved.boxes, moved.scores, moved.labels), self.doubt[left]

    def doubted(self, least: float = 0.0) -> Detections:
        """
        Give them with scores that doubt has taken its share of, in the order of these.

        :param least: score from which they are asked for.
        """
        ours = self.detections
        return _by_score(ours.boxes, _doubted(ours.scores, self.doubt, least), ours.labels)

    def blended(self, forecast: Detections, least: float = 0.0) -> Detections:
        """
        Give the detections of a forecast, each with what is known of its object.

        Of a forecast and the carried box that overlaps it most the place is the mean, and the
        score the higher one, doubted. Carried boxes without a forecast are gone: something else
        is there.

        :param forecast: in pixels of the network's input.
        :param least: score from which they are asked for.
        :returns: as many, in the order of their new scores.
        """
        boxes, scores = forecast.boxes.copy(), forecast.scores.copy()
        doubt = np.zeros_like(scores)
        for at, other in _pairs(forecast, self.detections):
            boxes[at] += np.float32(PLACE) * (self.detections.boxes[other] - boxes[at])
            scores[at] = max(scores[at], self.detections.scores[other])
            doubt[at] = self.doubt[other]
        return _by_score(boxes, _doubted(scores, doubt, least), forecast.labels)


def _doubted(scores: Floats, doubt: Floats, least: float) -> Floats:
    """Take from scores what doubt takes; those that are shown stay so."""
    floor = np.float32(max(SHOWN, least))
    floors = np.where(scores >= floor, floor, np.float32(0))
    return floors + (scores - floors) * np.exp(-doubt)


def _by_score(boxes: Floats, scores: Floats, labels: NDArray[np.int64]) -> Detections:
    """Give detections by falling score, as others rely on it."""
    order = np.argsort(-scores, kind='stable')
    return Detections(boxes[order], scores[order], labels[order])


def _pairs(forecast: Detections, carried: Detections) -> list[tuple[int, int]]:
    """Pair boxes of a class, the surest forecasts first; each carried one serves once."""
    strong = int((forecast.scores >= WEAKEST).sum())
    if not strong or not len(carried):
        return []
    order = np.argsort(-forecast.scores, kind='stable')[:strong]
    overlaps = iou(forecast.boxes[order], carried.boxes)
    overlaps *= forecast.labels[order, None] == carried.labels
    pairs = []
    for at, row in zip(order, overlaps):
        other = int(row.argmax())
        if row[other] >= SAME:
            pairs.append((int(at), other))
            overlaps[:, other] = 0
    return pairs
