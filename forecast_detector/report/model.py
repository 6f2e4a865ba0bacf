"""What a report is built from, once it has proved well formed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SPEEDS = ('slow', 'medium', 'fast')
ACTIONS = ('READ', 'FORECAST')
# Policies that p steers.
SCHEDULED = ('scheduler', 'scheduled_kalman')


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
class Difference:
    """
    A difference of mAP, in [-1, 1], with its 95 % interval.

    :ivar versus: what is subtracted: a policy, or the file of other detections.
    :ivar read_share: where both were measured.
    """

    versus: str
    difference: float
    low: float
    high: float
    read_share: float = 1.0


@dataclass(frozen=True)
class Topic:
    """
    What became of the images of one camera in a replay.

    :ivar answer_ms: (median, 95th percentile) from publishing to hearing; None offline.
    :ivar resets: how often the stream was reset, by reason.
    """

    name: str
    frames: int
    answered: int
    dropped: int
    bad: int
    read_share: float | None
    answer_ms: tuple[float, float] | None
    truth_topic: str | None
    resets: dict[str, int]


@dataclass(frozen=True)
class Run:
    """
    One evaluation or replay. Average precisions are in [0, 1], None without truth.

    :ivar key: the letter that it goes by in the report, a colour goes with it.
    :ivar weights: their name, where the runs of a report differ in it.
    :ivar skipped: name and reason of what could not be used.
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
    skipped: list[tuple[str, str]] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)
    versus: Difference | None = None
    key: str = ''
    weights: str = ''

    @property
    def policy(self) -> str:
        """Name what decided, short, and the weights where those of the runs differ."""
        return f'{self.weights}, {self._decided}' if self.weights else self._decided

    @property
    def _decided(self) -> str:
        origin = self.provenance
        policy = origin.get('policy')
        if policy in SCHEDULED and origin.get('p') is not None:
            return f'{_words(policy)}, p = {origin["p"]}'
        if policy and policy != 'read' and origin.get('read_every') is not None:
            return f'{_words(policy)}, 1 in {origin["read_every"]}'
        if policy:
            return _words(policy)
        return 'detections scored again' if 'from' in origin else self.file


def _words(name: Any) -> str:
    return str(name).replace('_', ' ')


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
    """
    A sweep: its points, and the setting that it recommends.

    :ivar frames: how many it was measured on; None where it is not told.
    :ivar skipped: name and reason of what could not be used.
    """

    file: str
    points: list[SweepPoint]
    recommended: SweepPoint | None
    differences: list[Difference] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    frames: int | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
