"""What ``detect`` found in a video or a bag, and what the demo sums up."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codec import Count
from .trace import Action


@dataclass(frozen=True)
class FoundObject:
    """
    An object.

    :ivar label: its class, under the key ``class``.
    :ivar box: xyxy in pixels of the image.
    :ivar id: its number in all frames of the clip; None where objects were not followed.
    """

    label: str = field(metadata={'key': 'class'})
    score: float
    box: tuple[float, float, float, float]
    id: Count | None = None


@dataclass(frozen=True)
class DetectedFrame:
    """A frame; ``confidence`` is None where there is none."""

    index: Count
    stamp_ns: int
    action: Action
    reason: str
    confidence: float | None
    inference_ms: float
    detections: list[FoundObject]


@dataclass(frozen=True)
class DetectedClip:
    """
    A video or a bag.

    :ivar p: threshold; None where the policy takes none. Likewise ``read_every``.
    :ivar read: how many frames were READ; ``forecast`` likewise.
    :ivar skipped: how many could not be used.
    """

    source: str
    weights: str
    sha256: str
    policy: str = field(default='scheduler', kw_only=True)
    p: float | None
    read_every: Count | None = field(default=None, kw_only=True)
    labels: list[str]
    read: Count
    forecast: Count
    skipped: Count
    frames: list[DetectedFrame]


@dataclass(frozen=True)
class DemoTimes:
    """Median and 95th percentile of steps, milliseconds; None where there was none."""

    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class DemoStepTimes:
    """Times of single steps of a demo."""

    read: DemoTimes
    forecast: DemoTimes


@dataclass(frozen=True)
class DemoSummary:
    """
    A demo.

    :ivar frames: images that were heard; ``dropped``: those of them without an answer.
    :ivar map50: over the answered frames, None without truth.
    :ivar agreement50: average precision over them against what reading every frame gives with the
        same weights, 0 to 1. None where it was not computed: of a camera, of the synthetic world,
        or because nobody wanted it; and where reading finds nothing.
    :ivar note: what to mind about the figures; '' for nothing.
    """

    source: str
    weights: str
    p: float
    frames: Count
    read: Count
    forecast: Count
    dropped: int
    map50: float | None
    agreement50: float | None
    latency_ms: DemoStepTimes
    note: str = ''
