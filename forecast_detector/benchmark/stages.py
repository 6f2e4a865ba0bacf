"""What the stages of a step are, and where they are found: another family has others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import kept, postprocess
from ..engine import StreamingDetector, turn
from ..model.yolox import preview
from ..tracking import tracker

# Images lie in memory as pixels; a JPEG takes longer.
DECODE = 'decode (a copy: raw pixels)'
CARRY = 'carry and blend boxes'


class Stage(NamedTuple):
    """
    A function that is a stage, or a part of one.

    :ivar owner: an object, a class or a module that has it; ``method``: by which name.
    :ivar name: of the stage. What other stages take within it is not of it.
    """

    owner: Any
    method: str
    name: str


def stages_of(detector: StreamingDetector) -> list[Stage]:
    """
    Name the stages of a detector's steps, in their order.

    Left out is what a network of the family, behind its backend, only passes on.
    """
    reader, network = detector.reader, detector.network
    family = _of_motion if network.moves else _of_encoders
    return [
        Stage(reader, 'load', DECODE),
        *(Stage(reader, name, 'resize') for name in ('_lay', '_lay_there')
          if hasattr(reader, name)),
        Stage(network, 'preview', 'thumbnail'),
        *family(detector),
        Stage(postprocess, 'suppress', 'suppression'),
        Stage(tracker.Tracker, 'follow', 'identities'),
    ]


def _of_motion(detector: StreamingDetector) -> Sequence[Stage]:
    """YOLOX: F moves along dense motion; what of the picture that does not explain is judged."""
    network = detector.network
    # Behind a backend the scheduler runs in the part that makes the surprise.
    apart = detector.backend == 'torch'
    # There the last layer for classes runs as boxes are made, on cells that may hold an object.
    sparse = detector.backend.startswith('openvino')
    return [
        Stage(preview, 'dense_flow', 'dense motion'),
        Stage(network, 'correct', 'surprise' if apart else 'surprise and scheduler'),
        *([Stage(network, 'schedule', 'scheduler')] if apart else []),
        Stage(network, 'read', 'reader'),
        Stage(network, 'settle', 'move and correct F'),
        *([] if sparse else [Stage(network, 'detect', 'head')]),
        Stage(detector, 'detect', 'classes and boxes' if sparse else 'boxes'),
        *(Stage(kept.Kept, name, CARRY) for name in ('read', 'moved', 'doubted')),
        Stage(turn, 'blended', CARRY),
    ]


def _of_encoders(detector: StreamingDetector) -> Sequence[Stage]:
    """Name those of the paper's family: its forecast is moved, corrected and judged as a whole."""
    network = detector.network
    return [
        Stage(network, 'correct', 'motion and correction of F'),
        Stage(network, 'schedule', 'scheduler'),
        Stage(network, 'read', 'reader'),
        Stage(network, 'encode', 'encoders'),
        Stage(network, 'combine', 'mean of F and Ft'),
        Stage(network, 'detect', 'head'),
        Stage(detector, 'detect', 'boxes'),
    ]
