"""What a report is built from, once it has proved well formed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SPEEDS = ('slow', 'medium', 'fast')
ACTIONS = ('READ', 'FORECAST')


@dataclass(frozen=True)
class FrameLine:
    """One frame of a trace; ``confidence`` and ``loss`` are None where there is none."""

    stamp_s: float
    action: str
    reason: str | None
    confidence: float | None
    latency_ms: float
    loss: float | None


@dataclass(frozen=True)
class TracedClip:
    """A clip's frames, in order."""

    name: str
    frames: list[FrameLine]

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

    xyxy: list[float]
    name: str
    score: float | None
    role: str


@dataclass(frozen=True)
class Picture:
    """
    A picture of a trace.

    :ivar size: (width, height) in pixels.
    :ivar age: frames since the last READ, None where it is not told.
    :ivar policy: whose forecast it shows, heat maps only.
    :ivar brightest: error that the brightest colour means, heat maps only.
    """

    kind: str
    clip: str
    index: int
    action: str
    caption: str
    jpeg: str
    size: tuple[float, float]
    boxes: list[DrawnBox]
    age: int | None = None
    policy: str | None = None
    brightest: float | None = None


@dataclass(frozen=True)
class ErrorCurve:
    """Mean forecast error of the frames of a clip under a policy, and what was done there."""

    clip: str
    policy: str
    index: list[float]
    actions: list[str]
    error: list[float]


@dataclass(frozen=True)
class Trace:
    """What was decided, frame by frame."""

    clips: list[TracedClip]
    pictures: list[Picture]
    errors: list[ErrorCurve]


@dataclass(frozen=True)
class Run:
    """
    One evaluation or replay. Average precisions are in [0, 1], None without truth.

    :ivar key: the letter that it goes by in the report, a colour goes with it.
    :ivar latency_ms: ``READ`` and ``FORECAST`` to (median, 95th percentile).
    """

    file: str
    map50: float | None
    map50_tolerant: float | None
    map50_95: float | None
    sap50: float | None
    by_speed: dict[str, float]
    by_class: dict[str, float]
    read_share: float | None
    ms_per_frame: float | None
    latency_ms: dict[str, tuple[float, float]]
    frames: int
    clips: int
    provenance: dict[str, Any]
    trace: Trace | None
    key: str = ''

    @property
    def policy(self) -> str:
        """Name what decided, short."""
        origin = self.provenance
        policy = origin.get('policy')
        if policy == 'scheduler' and origin.get('p') is not None:
            return f'scheduler, p = {origin["p"]}'
        if policy and origin.get('read_every') is not None:
            return f'{policy}, 1 in {origin["read_every"]}'
        if policy:
            return str(policy)
        return 'detections scored again' if 'from' in origin else self.file


@dataclass(frozen=True)
class SweepPoint:
    """One policy at one setting."""

    policy: str
    p: float | None
    read_every: float | None
    read_share: float
    map50: float | None
    ms_per_frame: float


@dataclass(frozen=True)
class SweepResult:
    """A sweep: its points, and the setting that it recommends."""

    file: str
    points: list[SweepPoint]
    recommended: SweepPoint | None
    provenance: dict[str, Any] = field(default_factory=dict)
