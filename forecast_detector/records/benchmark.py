"""What a benchmark measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codec import Count, left_out


@dataclass(frozen=True)
class Times:
    """
    How long something took, milliseconds of wall time.

    :ivar cpu: median of the processor time of all threads, which other processes disturb less.
    """

    name: str
    count: Count
    least: float
    p50: float
    p95: float
    p99: float
    cpu: float


@dataclass(frozen=True)
class Stages:
    """
    Where the time of one kind of step went; ``step`` is the whole.

    :ivar stages: what a step spent in each, all calls together and without what other stages took
        within it; a stage that no step had is left out. The last one is the rest: in each step
        they add up to the whole.
    """

    step: Times
    stages: list[Times]


@dataclass(frozen=True)
class Together:
    """Streams that share a step: wall time of the step, milliseconds, all READ or all FORECAST."""

    streams: Count
    read: Times
    forecast: Times


@dataclass(frozen=True)
class OfSize:
    """Steps on images of one size."""

    width: Count
    height: Count
    read: Times
    forecast: Times


@dataclass(frozen=True)
class BackendTimes:
    """
    One backend.

    :ivar name: ``torch`` or ``openvino``; ``note``: where and why.
    :ivar start_s: what making the detector took, its export included where there was none.
    :ivar read_stages: of a step of its own, in which each stage is watched.
    :ivar read: a READ as the scheduler orders it: its forecast is judged first.
    :ivar read_alone: a READ where nobody asks the scheduler.
    :ivar plain: a detector of each frame by itself, of the same weights: no thumbnail, no memory.
    :ivar padded: the same where images fill the whole input with padding, as published networks
        take them; None where inputs are not trimmed.
    :ivar carried: a FORECAST that boxes are carried to, by the motion that the scheduler is asked
        about (policy ``scheduled_flow``). It follows steps of other kinds, so caches are cold.
    :ivar quarter: a frame where a quarter is READ and the scheduler is asked about every one, in
        the mean; ``quarter_carried``: the same with carried boxes; ``quarter_flow``: at even
        distances, without the scheduler (policy ``flow``).
    :ivar carried_in_quarter: a FORECAST of ``quarter_carried``, between its READs and its like, as
        a stream has it; ``flow_in_quarter``: one of ``quarter_flow``.
    """

    name: str
    note: str
    start_s: float
    read_stages: Stages
    forecast_stages: Stages
    read: Times
    read_alone: Times
    forecast: Times
    plain: Times
    streams: list[Together] = field(default_factory=list)
    sizes: list[OfSize] = field(default_factory=list)
    padded: Times | None = None
    carried: Times | None = None
    quarter: Times | None = None
    quarter_carried: Times | None = None
    quarter_flow: Times | None = None
    carried_in_quarter: Times | None = None
    flow_in_quarter: Times | None = None


@dataclass(frozen=True)
class NodeCost:
    """
    What a message costs beside the model, milliseconds.

    :ivar message: image in to pixels, detections and decision to messages out: the same for a READ
        and for a FORECAST of weights that peek.
    """

    message: Times


@dataclass(frozen=True)
class ClockMhz:
    """
    How fast the processor's cores run, MHz; None is what the system does not say.

    :ivar now: the mean over the cores, right after the steps; ``most``: what they may reach.
    """

    now: float | None = left_out()
    most: float | None = left_out()


@dataclass(frozen=True)
class Benchmark:
    """
    A run; the medians of the first backend stand at the top.

    :ivar plain_ms: of the fastest backend of the run.
    :ivar threads: of a step.
    :ivar clock_mhz: of the processor; None where the system says nothing of it.
    """

    read_ms: float
    forecast_ms: float
    plain_ms: float
    backend: str
    threads: Count
    weights: str
    sha256: str
    machine: str
    load: float
    versions: dict[str, str]
    input_size: list[int]
    image_size: list[int]
    backends: list[BackendTimes]
    node: NodeCost | None = left_out()
    clock_mhz: ClockMhz | None = left_out()
