"""
What a recorder makes of what it hears: triples joined by stamp, and their numbers.

Messages are those of bags (same fields as ROS's), so that they are parsed once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..bags.messages import parse_detection, stamp_to_ns
from ..types import Action, Decision, Detections, Reason

# An object in the numbers: x1, y1, x2, y2, score, class name.
Object = tuple[Any, ...]


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


def objects_of(message: Any) -> list[Object]:
    """List the objects of a ``Detection2DArray`` with their corners."""
    objects = []
    for detection in message.detections:
        box, name, score, _ = parse_detection(detection)
        objects.append((*map(float, box), score, name))
    return objects


def detections_of(message: Any, labels: list[str]) -> Detections:
    """
    Turn a ``Detection2DArray`` back into detections.

    :param labels: class names so far; new ones are appended.
    """
    objects = objects_of(message)
    for name in (o[5] for o in objects):
        if name not in labels:
            labels.append(name)
    return Detections(
        np.array([o[:4] for o in objects], np.float32).reshape(-1, 4),
        np.array([o[4] for o in objects], np.float32),
        np.array([labels.index(o[5]) for o in objects], np.int64),
    )


def decision_of(message: Any) -> Decision:
    """Turn a ``ForecastDecision`` message back into a decision."""
    return Decision(
        Action(message.action),
        Reason(message.reason),
        message.threshold,
        message.reason_detail,
        message.confidence,
        message.frames_since_read,
        stamp_to_ns(message.last_read_stamp),
        message.inference_ms,
    )


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
