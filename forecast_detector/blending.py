"""
Forecasts blended with the boxes of the last READ, which are carried along.

Maps that are moved again and again fade, and so do the scores that the head makes of them; boxes
that are carried keep theirs, but know nothing of what has changed since. Together they find more
than either.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .boxes import iou
from .carrying import carried_back, carried_on
from .flow import Flow
from .types import Detections

# From this overlap on a forecast and a carried box of its class are of one object.
SAME = 0.5
# What a carried score is worth after each frame, and how much of a carried place is taken.
KEEPING, PLACE = 0.9, 0.5
# Weaker boxes are not blended, and not carried.
WEAKEST = 0.05


@dataclass(frozen=True)
class Kept:
    """
    The boxes of the last READ, carried along.

    :ivar detections: as they are at the last frame, in pixels of the network's input; their
        scores are what is left of them.
    :ivar flow: (h, w, 2), where what is seen in that frame was before, right and down, pixels of
        the thumbnail; None where that is not known.
    """

    detections: Detections = field(default_factory=Detections)
    flow: Flow | None = None

    @classmethod
    def of(cls, found: Detections, flow: Flow | None = None) -> Kept:
        """Take those of a READ that are worth blending."""
        return cls(found.above(WEAKEST), flow)

    def moved(self, flow: Flow, reduction: int, keeping: float = KEEPING) -> Kept:
        """
        Carry them to the next frame.

        :param flow: of that frame; ``reduction``: how many times smaller than the input it is.
        :param keeping: what their scores are multiplied by.
        """
        return Kept(_fading(carried_back(self.detections, flow, reduction), keeping), flow)

    def ahead(self, reduction: int, keeping: float = KEEPING) -> Kept:
        """Carry them to a frame that has not come yet, as the picture last moved."""
        if self.flow is None:
            return self
        there = carried_on(self.detections, self.flow, reduction)
        return Kept(_fading(there, keeping), self.flow)

    def blended(self, forecast: Detections) -> Detections:
        """
        Give the detections of a forecast, each with what is known of its object.

        Of a forecast and the carried box that overlaps it most the place is the mean, and the
        score the higher one. Carried boxes without a forecast are gone: something else is there.

        :param forecast: in pixels of the network's input.
        :returns: as many, in the order of their new scores.
        """
        boxes, scores = forecast.boxes.copy(), forecast.scores.copy()
        for at, other in _pairs(forecast, self.detections):
            boxes[at] += np.float32(PLACE) * (self.detections.boxes[other] - boxes[at])
            scores[at] = max(scores[at], self.detections.scores[other])
        order = np.argsort(-scores, kind='stable')
        return Detections(boxes[order], scores[order], forecast.labels[order])


def _fading(moved: Detections, keeping: float) -> Detections:
    return Detections(moved.boxes, moved.scores * np.float32(keeping), moved.labels)


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
