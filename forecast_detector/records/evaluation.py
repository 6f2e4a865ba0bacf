"""What an evaluation or a replay found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .codec import Count, left_out
from .trace import Trace

T = TypeVar('T')
# Weights, hash, data set, split, stride, policy, p, device, machine …: open, shown as it is.
Provenance = dict[str, Any]


def measure(origin: Provenance) -> str:
    """Name what accuracies are: ``agreement`` where they are judged by a reference, or ``mAP``."""
    return 'agreement' if origin.get('reference') else 'mAP'


class AtHalf(Generic[T]):
    """What is known at IoU 0.5: by a truth, or by the reference that stands in its place."""

    map50: T | None
    agreement50: T | None

    @property
    def ap50(self) -> T | None:
        """The figure by whatever was judged by."""
        return self.map50 if self.agreement50 is None else self.agreement50


@dataclass(frozen=True)
class Precision(AtHalf[float]):
    """
    Mean average precision in [0, 1]; None where there is no object.

    :ivar map50_tolerant: by the tolerant rule.
    :ivar agreement50: average precision, classes pooled, where what reading gives stands in the
        place of the truth; the others are None then.
    """

    map50: float | None = None
    map50_tolerant: float | None = None
    agreement50: float | None = left_out()


@dataclass(frozen=True, kw_only=True)
class Found:
    """
    What a user finds at a score threshold, the ``score_threshold`` of the provenance.

    :ivar recall50: share of all objects that are found; of the reference's, where one stands in
        the place of the truth.
    :ivar frames_to_find: mean number of frames until a new object is found.
    :ivar annotated_recall50: share of the annotated objects that are found, beside a reference;
        None without one, or without annotations.
    :ivar annotated_overlap: mean over these of the best IoU, 0 where there is none.
    """

    recall50: float | None = None
    frames_to_find: float | None = None
    annotated_recall50: float | None = None
    annotated_overlap: float | None = None


@dataclass(frozen=True)
class Metrics(Precision):
    """
    All numbers of the ImageNet VID protocol.

    :ivar by_speed: of ``slow``, ``medium`` and ``fast`` objects.
    :ivar by_class: by class name.
    """

    by_speed: dict[str, Precision] = field(default_factory=dict)
    by_class: dict[str, Precision] = field(default_factory=dict)


@dataclass(frozen=True)
class Interval:
    """
    A value on the data at hand, and the range that the resamples give.

    :ivar low: lower end; all below 0 or all above means that the sign is settled. None, as
        ``high``, where there is no range: one clip gives every resample the same.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Gap:
    """A difference of mAP, in [-1, 1], with its 95 % interval, see :class:`Interval`."""

    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Versus(AtHalf[Gap]):
    """
    Differences from other detections of the same frames.

    :ivar file: theirs; they are subtracted.
    :ivar agreement50: instead of ``map50`` where runs are judged by a reference.
    """

    file: str
    map50: Gap | None = None
    map50_tolerant: Gap | None = None
    agreement50: Gap | None = left_out()


@dataclass(frozen=True)
class Percentiles:
    """Median and 95th percentile of times, milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True)
class StepTimes:
    """Times of single steps; None where there was none of the kind."""

    read: Percentiles | None = None
    forecast: Percentiles | None = None


@dataclass(frozen=True)
class Skipped:
    """What could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Evaluation(Found, Metrics):
    """
    Numbers of one run and where they come from.

    :ivar map50_95: COCO's mean; None without its library.
    :ivar sap50: streaming average precision; None where it was not asked for.
    :ivar streaming_agreement50: the same by a reference.
    :ivar read_share: None where detections were only scored again, as are the times.
    :ivar frames: number of frames that were shown to the detector.
    :ivar annotated: how many of them have a truth, be it empty; None where that was not counted.
        Only these are scored, by a reference all.
    :ivar ms_per_frame: the medians of READ and FORECAST weighted by their shares.
    :ivar interval: 95 % interval of ``map50`` or ``agreement50``; None where not asked for, as
        is ``versus``.
    """

    agreement50: float | None = None
    map50_95: float | None = None
    sap50: float | None = None
    streaming_agreement50: float | None = left_out()
    read_share: float | None = None
    frames: Count
    annotated: Count | None = None
    clips: Count
    skipped: list[Skipped] = field(default_factory=list)
    ms_per_frame: float | None = None
    latency_ms: StepTimes | None = None
    interval: Interval | None = None
    versus: Versus | None = None
    provenance: Provenance = field(default_factory=dict)
    trace: Trace | None = left_out()


@dataclass(frozen=True)
class Topic:
    """
    What became of the images of one camera in a replay.

    :ivar frames: images of all turns, with those that cannot be used.
    :ivar bad: images that could not be used, and messages that cannot be read.
    :ivar dropped: images that nothing was heard for, without the bad ones.
    :ivar unanswered_stamps_ns: of the bad and the dropped ones, the first few.
    :ivar resets: how often the stream was reset, by the reason given.
    :ivar latency_ms: of the steps, decoding included.
    :ivar answer_ms: live, from publishing an image to hearing its answers; None offline.
    """

    frames: Count
    answered: Count
    bad: Count
    dropped: Count
    unanswered_stamps_ns: list[int] = field(default_factory=list)
    resets: dict[str, Count] = field(default_factory=dict)
    truth_topic: str | None = None
    read_share: float | None = None
    latency_ms: StepTimes = StepTimes()
    answer_ms: Percentiles | None = None


@dataclass(frozen=True, kw_only=True)
class Replay(Evaluation):
    """The figures of an evaluation (null without truth), and what became of each topic."""

    topics: dict[str, Topic]
