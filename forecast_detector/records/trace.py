"""The trace of a run: what was decided, frame by frame, and a few pictures."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Literal

from .codec import Count, left_out

Action = Literal['READ', 'FORECAST']
ACTIONS: tuple[Action, Action] = ('READ', 'FORECAST')  # by their values
Kind = Literal['timeline', 'worst', 'heat']
Role = Literal['detected', 'found', 'false', 'true', 'missed']


@dataclass(frozen=True, kw_only=True)
class TracedFrame:
    """
    One frame; ``confidence`` and ``loss`` are None where there is none.

    :ivar detections: how many.
    """

    stamp_ns: int
    action: Action
    reason: str | None = None
    confidence: float | None = None
    latency_ms: float
    loss: float | None = None
    detections: Count | None = None


@dataclass(frozen=True)
class TracedClip:
    """A clip's frames, in order."""

    name: str
    frames: list[TracedFrame]

    @property
    def read_share(self) -> float:
        """Share of the frames that were read; 0 without frames."""
        return sum(f.action == 'READ' for f in self.frames) / max(1, len(self.frames))


@dataclass(frozen=True)
class DrawnBox:
    """
    A box of a picture.

    :ivar xyxy: pixels of the picture.
    :ivar role: ``detected``, or beside truth ``found``, ``false``, ``true``, ``missed``.
    """

    xyxy: tuple[float, float, float, float]
    name: str
    role: Role
    score: float | None = None


@dataclass(frozen=True)
class Picture:
    """
    A picture of a trace.

    :ivar size: (width, height) in pixels.
    :ivar jpeg: in base64.
    :ivar age: frames since the last READ.
    :ivar policy: whose forecast it shows, heat maps only.
    :ivar brightest: error that the brightest colour means, heat maps only.
    :raises ValueError: if it is no picture.
    """

    kind: Kind
    clip: str
    index: Count
    action: Action
    caption: str
    size: tuple[float, float]
    boxes: list[DrawnBox]
    jpeg: str
    age: Count | None = left_out()
    policy: str | None = left_out()
    brightest: float | None = left_out()

    def __post_init__(self) -> None:
        """See that there is a picture."""
        try:
            data = base64.b64decode(self.jpeg, validate=True)
        except binascii.Error:
            data = b''
        if not data.startswith(b'\xff\xd8') or not self.size[0] * self.size[1] > 0:
            raise ValueError('jpeg: is no JPEG in base64; was the file cut?')


@dataclass(frozen=True)
class ErrorCurve:
    """
    Mean forecast error of the frames of a clip under a policy, and what was done there.

    :raises ValueError: if the lists differ in length.
    """

    clip: str
    policy: str
    index: list[Count]
    action: list[Action]
    error: list[float]

    def __post_init__(self) -> None:
        """Compare the lengths."""
        for name, kind in (('action', 'words'), ('error', 'numbers')):
            if len(getattr(self, name)) != len(self.index):
                raise ValueError(
                    f'{name}: got {getattr(self, name)}, expected {len(self.index)} {kind}')


@dataclass(frozen=True)
class Trace:
    """What was decided, frame by frame."""

    clips: list[TracedClip]
    pictures: list[Picture]
    errors: list[ErrorCurve] = field(default_factory=list)
