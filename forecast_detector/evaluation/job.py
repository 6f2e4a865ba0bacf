"""What is done with each clip of an evaluation, so that any process can do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ..checkpoint import Checkpoint
from ..config import Backend, Resize
from ..data.bag_options import BagOptions
from ..data.base import Clip
from ..data.relabelled import RelabelledClip
from ..data.views import strided
from ..engine import StreamingDetector
from ..policies.registry import make_runner
from ..policies.step import Runner
from ..scoring.judging import BY_TRUTH, Judging
from ..types import Detections
from .reference import judged_by
from .run import ClipRun, Done, ignore, run_clip
from .streaming_ap import arrivals, Latencies, stream_clip


@dataclass(frozen=True)
class Job:
    """
    A detector, a policy, and what is measured; nothing in it is bound to a process.

    :ivar changes: other settings of the streaming engine, by name.
    :ivar streams: whether every clip is also run at the speed of its stamps (streaming AP).
    :ivar latencies: planned step times for that; None takes those measured.
    :ivar anticipates: whether for that each step also detects on its forecast.
    :ivar judging: what is judged by; a reference is read before the run.
    """

    checkpoint: Checkpoint
    device: str = 'auto'
    input_size: tuple[int, int] | None = None
    resize: Resize | None = None
    policy: str = 'scheduler'
    p: float = 1.0
    read_every: int = 2
    changes: Mapping[str, Any] = field(default_factory=dict)
    streams: bool = False
    latencies: Latencies | None = None
    anticipates: bool = False
    judging: Judging = BY_TRUTH
    backend: Backend = 'auto'

    @property
    def passes(self) -> int:
        """Number of times that frames are stepped, but for streaming AP."""
        return 1 + (self.judging.by_reading and self.policy != 'read')

    def detector(self) -> StreamingDetector:
        """Make the detector."""
        return StreamingDetector(
            self.checkpoint, None, self.device, self.input_size, self.resize, self.backend
        )

    def runner(self, anticipates: bool = False) -> Runner:
        """
        Make what answers the frames, with a detector of its own.

        :raises ValueError: for an unknown policy or a value outside its range.
        """
        return make_runner(
            self.policy, self.detector(), self.p, self.read_every, anticipates, **self.changes
        )


class PendingClip(Protocol):
    """
    A clip that is opened where it is worked on.

    :ivar name: for messages.
    :ivar may_fail: whether the evaluation goes on without it if it cannot be used.
    """

    @property
    def name(self) -> str:
        """Name it."""

    @property
    def may_fail(self) -> bool:
        """Whether the evaluation goes on without it."""

    def open(self) -> Clip:
        """
        Open it.

        :raises ValueError: if it cannot be used.
        """


@dataclass(frozen=True)
class OpenClip:
    """A clip of a data set that is open already; all of them count, but for recordings."""

    clip: Clip
    may_fail: bool = False

    @property
    def name(self) -> str:
        """Name the clip."""
        return self.clip.name

    def open(self) -> Clip:
        """Give the clip."""
        return self.clip


@dataclass(frozen=True)
class BagClip:
    """
    A bag of a folder.

    :ivar number: place of the bag in its folder, from which its image ids follow.
    :ivar labels: class names of the weights.
    :ivar passes_foreign: whether objects of other classes are passed over.
    """

    path: Path
    number: int
    labels: Sequence[str]
    stride: int
    options: BagOptions
    passes_foreign: bool = False
    may_fail: bool = True

    @property
    def name(self) -> str:
        """Give the path."""
        return str(self.path)

    def open(self) -> Clip:
        """Read the bag once through."""
        from ..data.rosbag import IDS_A_BAG, RosbagClip
        clip = RosbagClip(
            self.path, self.options.image_topic, self.options.truth_topic,
            None if self.passes_foreign else self.labels,
            self.number * IDS_A_BAG, self.options.tolerance_ns,
        )
        known = RelabelledClip(clip, clip.labels, self.labels) if self.passes_foreign else clip
        return strided(known, self.stride)


@dataclass
class Outcome:
    """
    What became of one source.

    :ivar clip: None if it could not be used.
    :ivar streamed: what was known at each frame, where that was asked for.
    :ivar error: why it could not be used.
    """

    name: str
    clip: Clip | None = None
    run: ClipRun | None = None
    streamed: Sequence[Detections] | None = None
    error: str | None = None


class ClipWorker:
    """Does a job clip by clip."""

    def __init__(self, job: Job) -> None:
        """
        Load the detector.

        :raises ValueError: for a device, policy or value that cannot be used.
        """
        self.job = job
        self.runner = job.runner()
        # A reference hangs on which boxes are kept, not on what is decided.
        kept = {name: value for name, value in job.changes.items() if name == 'nms_iou'}
        reading = replace(job, policy='read', changes=kept)
        self.reader = reading.runner() if job.passes > 1 else None
        self.streamer = job.runner(job.anticipates) if job.streams else None

    def __call__(self, source: PendingClip, done: Done = ignore) -> Outcome:
        """
        Run one clip; its files are closed afterwards, as an evaluation may have thousands.

        :param done: called with the number of frames done since the last call.
        :raises ValueError: if the source cannot be used, and must not fail.
        """
        clip: Clip | None = None
        try:
            clip = source.open()
            if self.streamer is not None:
                arrivals(clip)  # raises before anything is stepped
            read = run_clip(self.reader, clip, done) if self.reader is not None else None
            run = run_clip(self.runner, clip, done)
            if self.job.judging.reading is not None:
                clip = judged_by(read or run, clip, self.job.judging.reading)
            streamed = None
            if self.streamer is not None:
                streamed = stream_clip(self.streamer, clip, self.job.latencies).detections
        except (ValueError, OSError) as error:
            # A damaged bag shows when it is opened, or only at one of its images.
            if not source.may_fail:
                raise
            return Outcome(source.name, error=str(error))
        finally:
            if clip is not None:
                clip.release()
        return Outcome(source.name, clip, run, streamed)
