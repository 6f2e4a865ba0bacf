"""What a frame's detections cost against its truth: the loss that the oracle schedule sees."""

from __future__ import annotations

from ..data.base import Truth
from ..types import Detections
from .matching import match_frame, Rule


def frame_loss(detections: Detections, truth: Truth) -> float:
    """
    Count what is wrong, by confidence: 1 - score for an object found, 1 for one missed, and
    the score of each false detection.

    Average precision judges rankings and has no value a frame; this has, and both are smaller
    where objects are found with confidence and nothing else is.
    """
    found, _ = match_frame(detections, truth, Rule.PLAIN)
    hit = found >= 0
    scores = detections.scores
    return float(len(truth) - scores[hit].sum() + scores[~hit].sum())
