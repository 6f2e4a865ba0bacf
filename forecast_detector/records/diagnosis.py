"""What a diagnosis found."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codec import Count
from .evaluation import AtHalf, Interval, Provenance, Skipped


@dataclass(frozen=True)
class Bin:
    """Confidences in [low, high): how many, their mean, and the share that did serve."""

    low: float
    high: float
    count: Count
    confidence: float | None = None
    served: float | None = None


@dataclass(frozen=True)
class Risk:
    """Share of the surest forecasts that does not serve."""

    coverage: float
    risk: float


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """
    What a set of trials says about the scheduler.

    :ivar p: that steered the streams; 1 reads every frame.
    :ivar served: share of all forecasts that would serve.
    :ivar auroc: probability that a forecast that serves gets more confidence than one that does
        not, with its interval over clips, which one clip has none of; None where all serve or
        none.
    :ivar calibration_error: mean distance between confidence and share served, weighed by bin
        (ECE).
    :ivar brier: mean squared distance between confidence and outcome.
    """

    p: float
    trials: Count
    read_share: float
    served: float
    auroc: Interval | None = None
    calibration_error: float
    brier: float
    reliability: list[Bin]
    risk: list[Risk]


@dataclass(frozen=True)
class ForecastRatio:
    """
    Error of forecasts over that of copies, both summed over frames, with a bootstrap over clips.

    :ivar ahead: forecasts in a row; 1 follows a READ.
    :ivar ratio: sum of ||F(t+k) - Fc|| over sum of ||F(t+k) - F(t)||; None where nothing moved.
        Where it did in one clip only, there is no interval: ``low`` and ``high`` are None.
    """

    ahead: Count
    frames: Count
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Cuts(AtHalf[float]):
    """
    What a policy does at the cuts.

    :ivar frames_until_found: from each cut to the first detection of an object of the new clip,
        0 on its first frame with an object; the limit where none is found by then.
    :ivar mean: of these, with an interval over cuts, which a single cut has none of.
    :ivar versus_read: difference of the mean from that of reading every frame, paired by cut.
    :ivar at_once: cuts whose object is found on its first frame.
    :ivar missed: cuts whose object is not found within the limit.
    :ivar map50: of the spliced stream; by a reference ``agreement50``.
    :ivar recall50: share of its objects that are found at the user's threshold.
    """

    policy: str
    p: float | None = None
    read_every: Count | None = None
    read_share: float
    frames_until_found: list[Count]
    mean: Interval
    versus_read: Interval
    at_once: Count
    missed: Count
    map50: float | None = None
    agreement50: float | None = None
    recall50: float | None = None


@dataclass(frozen=True)
class ClassMistakes:
    """
    What becomes of the objects of one class, every frame read.

    An object is what its surest detection of any class says.

    :ivar objects: in all annotated frames; one object counts in each of its frames.
    :ivar right: named rightly.
    :ivar missed: without a detection.
    :ivar taken_for: label to how often they were named so, the most frequent first.
    :ivar alarms: detections of this class that lie on no object.
    """

    label: str
    objects: Count
    right: Count
    missed: Count
    taken_for: dict[str, Count]
    alarms: Count


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """
    All that is said of weights.

    :ivar classifier: the scheduler where every frame is read, then where it steers.
    :ivar cuts: a policy each; None where the clips have no cut.
    :ivar classes: none by a reference, which reading every frame always finds.
    """

    classifier: list[Judgement]
    forecast_error: list[ForecastRatio]
    cuts: list[Cuts] | None = None
    classes: list[ClassMistakes]
    frames: Count
    skipped: list[Skipped] = field(default_factory=list)
    provenance: Provenance = field(default_factory=dict)
