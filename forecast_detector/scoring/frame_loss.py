"""What is wrong in a single frame, as a number."""

from __future__ import annotations

from ..data.base import Truth
from ..types import Detections
from .matching import in_crowd, match_frame, Rule


def frame_loss(detections: Detections, truth: Truth) -> float:
    """
    Count what is wrong in a frame, weighed by confidence.

    1 - score for an object found, 1 for one missed, the score of each false detection (none in
    a crowd). A frame that was not annotated has no loss. Average precision judges rankings and
    has no value a frame; this has, and both are better where objects are found with confidence
    and nothing else is.
    """
    if not truth.annotated:
        return 0.0
    found, _ = match_frame(detections, truth, Rule.PLAIN)
    hit = found >= 0
    false = ~hit & ~in_crowd(detections, truth, Rule.PLAIN)
    scores = detections.scores
    return float(len(truth) - scores[hit].sum() + scores[false].sum())
