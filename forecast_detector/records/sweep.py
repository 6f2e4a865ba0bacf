"""What a sweep found: accuracy against cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codec import Count
from .evaluation import AtHalf, Precision, Provenance, Skipped

Pair = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class SweepPoint(AtHalf[float]):
    """One policy at one setting; figures as in an evaluation."""

    policy: str
    p: float | None = None
    read_every: Count | None = None
    read_share: float
    map50: float | None = None
    map50_tolerant: float | None = None
    agreement50: float | None = None
    recall50: float | None = None
    frames_to_find: float | None = None
    annotated_recall50: float | None = None
    annotated_overlap: float | None = None
    by_speed: dict[str, Precision] = field(default_factory=dict)
    ms_per_frame: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """
    mAP (or agreement) of the scheduler less that of another policy, with its 95 % interval.

    One clip has none: ``low`` and ``high`` are None.

    :ivar read_share: where both were measured.
    :ivar versus: the other policy, or ``p=1``.
    """

    read_share: float
    p: float | None = None
    versus: str
    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class PairedTimes:
    """Times of single steps as (median, 95th percentile), milliseconds."""

    read: Pair | None = None
    forecast: Pair | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """
    A sweep: its points, and the setting that it recommends.

    :ivar unmet_shares: shares of READs that no p gives.
    :ivar frames: how many it was measured on; None where it is unknown.
    :ivar sweep_s: seconds of the whole, ``sweep_cpu_s`` those that processors worked; likewise
        ``read`` of reading every frame, ``pass`` of one pass of ``evaluate``.
    """

    points: list[SweepPoint]
    unmet_shares: list[float] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    recommended: SweepPoint | None = None
    frames: Count | None = None
    skipped: list[Skipped] = field(default_factory=list)
    latency_ms: PairedTimes = PairedTimes()
    sweep_s: float | None = None
    sweep_cpu_s: float | None = None
    read_s: float | None = None
    read_cpu_s: float | None = None
    pass_s: float | None = None
    pass_cpu_s: float | None = None
    provenance: Provenance = field(default_factory=dict)
