"""
What a recorder makes of what it hears: triples joined by stamp, and their numbers.

Messages are those of bags (same fields as ROS's), so that they are parsed once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from forecast_detector.msg import ForecastDecision

from ..bags.messages import DECISION, DETECTIONS, IMAGE, stamp_to_ns
from ..bags.parsing import objects_of

BAG_TYPES = {Image: IMAGE, Detection2DArray: DETECTIONS, ForecastDecision: DECISION}


@dataclass
class Answered:
    """An image with its detections and its decision; complete once it has all three."""

    image: Any = None
    detections: Any = None
    decision: Any = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return None not in (self.image, self.detections, self.decision)


@dataclass
class Joiner:
    """
    Joins messages by stamp.

    Images that were never answered are let go when a later one is complete: each topic keeps
    its order, so nothing can come for them any more.
    """

    waiting: dict[int, Answered] = field(default_factory=dict)

    def add(self, stamp_ns: int, name: str, message: Any) -> Answered | None:
        """
        Take a message.

        :param name: which part of :class:`Answered` it is.
        :returns: the triple that it completes, if it does.
        """
        entry = self.waiting.setdefault(stamp_ns, Answered())
        setattr(entry, name, message)
        if not entry.is_complete:
            return None
        self.waiting = {s: e for s, e in self.waiting.items() if s > stamp_ns}
        return entry


def numbers_of(answered: Answered) -> dict[str, Any]:
    """List the numbers of one answered image, as JSON takes them."""
    decision = answered.decision
    return {
        'stamp_ns': stamp_to_ns(decision.header.stamp),
        'action': int(decision.action),
        'reason': int(decision.reason),
        'reason_detail': decision.reason_detail,
        'confidence': None if np.isnan(decision.confidence) else float(decision.confidence),
        'threshold': float(decision.threshold),
        'frames_since_read': int(decision.frames_since_read),
        'inference_ms': float(decision.inference_ms),
        'objects': objects_of(answered.detections),
        'truth': None,
    }
