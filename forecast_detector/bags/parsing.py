"""From the messages of bags back to the package's own types."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..types import Action, Decision, Detections, Reason
from .messages import parse_detection, stamp_to_ns

# x1, y1, x2, y2, score, class name.
Object = tuple[Any, ...]


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
