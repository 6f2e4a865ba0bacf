"""
Forecasts blended with the boxes of the last READ, which are carried along.

Maps that are moved again and again fade, and so do the scores that the head makes of them; boxes
that are carried keep theirs, but know nothing of what has changed since. Together they find more
than either.
"""

from __future__ import annotations

import numpy as np

from .boxes import iou
from .kept import by_score, Kept, less_doubt
from .types import Detections

# From this overlap on a forecast and a carried box of its class are of one object.
SAME = 0.5
# How much of a carried place is taken.
PLACE = 0.5
# Weaker boxes are not blended, and not kept for it.
WEAKEST = 0.05


def blended(kept: Kept, forecast: Detections, least: float = 0.0) -> Detections:
    """
    Give the detections of a forecast, each with what is known of its object.

    Of a forecast and the carried box that overlaps it most the place is the mean, and the score
    the higher one, doubted. Carried boxes without a forecast are gone: something else is there.

    :param forecast: in the pixels that the kept boxes were read in.
    :param least: score from which they are asked for.
    :returns: as many, in the order of their new scores.
    """
    boxes, scores = forecast.boxes.copy(), forecast.scores.copy()
    carried, doubt = kept.detections, np.zeros_like(scores)
    for at, other in _pairs(forecast, carried):
        boxes[at] += np.float32(PLACE) * (carried.boxes[other] - boxes[at])
        scores[at] = max(scores[at], carried.scores[other])
        doubt[at] = kept.doubt[other]
    return by_score(boxes, less_doubt(scores, doubt, least), forecast.labels)


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
