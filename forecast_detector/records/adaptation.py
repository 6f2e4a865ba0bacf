"""What ``adapt`` found: before and after on what was kept aside."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codec import Count
from .evaluation import Provenance, Skipped
from .sweep import SweepPoint


@dataclass(frozen=True, kw_only=True)
class AdaptedShare:
    """
    Before and after at a share of READs; figures as in a sweep.

    :ivar read_share: that was asked for; ``after`` reads no more often than ``before``.
    :ivar gain: in agreement; ``low`` and ``high`` are the ends of its 95 % interval over
        stretches, None over few.
    """

    read_share: float
    before: SweepPoint
    after: SweepPoint
    gain: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class AdaptedTo:
    """A recording: its name, its hash, and how many of its frames were taken for what."""

    name: str
    sha256: str
    frames: Count
    seconds: float
    learnt: Count
    aside: Count


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """
    An adaptation.

    :ivar helps: whether agreement is better at the share of READs that is wanted.
    :ivar verdict: what says so, in words.
    :ivar judged_at: that share; None where none keeps to what is wanted.
    :ivar recommended: the point to take p from; None where it does not help.
    :ivar unmet_shares: shares of READs where nothing can be compared.
    :ivar passed_over: how many frames could not be used, and were left out.
    :ivar steps: that each phase has trained; ``--minutes`` takes as many as the machine's speed
        allows, so the figures go by it.
    :ivar train_s: seconds that this run trained, reading the frames included.
    """

    helps: bool
    verdict: str
    judged_at: float | None = None
    recommended: SweepPoint | None = None
    rows: list[AdaptedShare]
    unmet_shares: list[float] = field(default_factory=list)
    recordings: list[AdaptedTo]
    skipped: list[Skipped] = field(default_factory=list)
    passed_over: Count = 0
    steps: dict[str, Count] = field(default_factory=dict)
    train_s: float | None = None
    provenance: Provenance = field(default_factory=dict)
