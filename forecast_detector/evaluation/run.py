"""Run a detector over the clips of a data set and collect what it gives, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
import math
import time
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data.base import Clip
from ..types import Action, Detections, Frame, Reason
from .metrics import ScoredClip

T = TypeVar('T')
Progress = Callable[[Iterable[T], int, str], Iterable[T]]

# Average precision wants the weak detections too.
SCORE_THRESHOLD = 0.01


@dataclass(frozen=True)
class Step:
    """
    What one frame gave.

    :ivar latency_ms: time of the step, milliseconds. That of a replay holds the decoding of the
        image, as the node does it within the step; that of :func:`run_clip` does not.
    :ivar confidence: the scheduler's, for this frame; NaN where there is none.
    :ivar reason: why it was READ or FORECAST; None where boxes were carried on instead.
    :ivar anticipated: what was detected on the forecast of the next frame, where asked for.
    :ivar anticipation_ms: time of that, on top of ``latency_ms``.
    """

    detections: Detections
    action: Action
    latency_ms: float
    confidence: float = math.nan
    anticipated: Detections | None = None
    anticipation_ms: float = 0.0
    reason: Reason | None = None


class Runner(Protocol):
    """Anything that answers the frames of a clip one by one: a detector, a baseline."""

    def start(self, clip: Clip) -> None:
        """Forget everything: a new clip begins."""

    def step(self, frame: Frame) -> Step:
        """
        Answer the next frame.

        :raises BadFrameError: if it is read and cannot be used.
        """


@dataclass
class ClipRun:
    """The steps of one clip, in order."""

    name: str
    steps: list[Step] = field(default_factory=list)

    def scored(self, clip: Clip) -> ScoredClip:
        """Set the detections beside the truth of their clip."""
        return ScoredClip(
            clip.name,
            [step.detections for step in self.steps],
            [clip.truth(index) for index in range(len(clip))],
        )


def _no_progress(items: Iterable[T], total: int, description: str) -> Iterable[T]:
    return items


def run_clips(
    runner: Runner, clips: Sequence[Clip], progress: Progress = _no_progress, description: str = ''
) -> list[ClipRun]:
    """
    Run over every frame of every clip, each clip from a fresh start.

    :param progress: wraps the frames, given their number and the description.
    :raises BadFrameError: for a frame that cannot be used; names clip and frame.
    """
    runs: list[ClipRun] = []
    total = sum(len(clip) for clip in clips)
    for clip, index in progress(_frames(clips), total, description):
        if index == 0:
            runner.start(clip)
            runs.append(ClipRun(clip.name))
        runs[-1].steps.append(runner.step(clip.frame(index)))
    return runs


def _frames(clips: Sequence[Clip]) -> Iterator[tuple[Clip, int]]:
    for clip in clips:
        for index in range(len(clip)):
            yield clip, index


def run_clip(
    runner: Runner, clip: Clip, done: Callable[[int], object] = lambda frames: None
) -> ClipRun:
    """
    Run over every frame of a clip, from a fresh start.

    :param done: called with the number of frames done since the last call.
    :raises BadFrameError: for a frame that cannot be used; names clip and frame.
    """
    runner.start(clip)
    run = ClipRun(clip.name)
    for index in range(len(clip)):
        run.steps.append(runner.step(clip.frame(index)))
        done(1)
    return run


@dataclass(frozen=True)
class Latency:
    """
    Step times of a run in milliseconds, as (median, 95th percentile); None without a step.

    :ivar ms_per_frame: the medians of READ and FORECAST weighted by their shares.
    """

    read_share: float
    read_ms: tuple[float, float] | None
    forecast_ms: tuple[float, float] | None

    @property
    def ms_per_frame(self) -> float:
        """Milliseconds that a frame costs at this share of READs."""
        read = self.read_ms[0] if self.read_ms else 0.0
        forecast = self.forecast_ms[0] if self.forecast_ms else 0.0
        return self.read_share * read + (1 - self.read_share) * forecast


def latency(runs: Sequence[ClipRun]) -> Latency:
    """
    Summarise the time of the steps.

    :raises ValueError: if there is no frame.
    """
    steps = [step for run in runs for step in run.steps]
    if not steps:
        raise ValueError('the data set has no frames; check the root and the split')
    times = {
        action: np.array([s.latency_ms for s in steps if s.action is action]) for action in Action
    }
    return Latency(
        len(times[Action.READ]) / len(steps),
        percentiles(times[Action.READ]), percentiles(times[Action.FORECAST]),
    )


def percentiles(times: Sequence[float] | NDArray[np.float64]) -> tuple[float, float] | None:
    """Give median and 95th percentile, None of nothing."""
    if not len(times):
        return None
    median, high = np.percentile(times, (50, 95))
    return float(median), float(high)


class DecodeTimer:
    """
    Watches the decoding of one frame: its time does not belong to the detector.

    Reading a video file decodes skipped frames too, a camera none.

    :ivar frame: the frame, to be stepped instead of the one given.
    :ivar ms: time spent in decoding so far, milliseconds.
    :ivar size: (width, height) in pixels, once it was decoded or if the frame knew it.
    """

    def __init__(self, frame: Frame) -> None:
        self.ms = 0.0
        self.size = frame.size
        self._load = frame.load
        self.frame = replace(frame, load=self._timed)

    def _timed(self) -> NDArray[np.uint8]:
        start = time.perf_counter()
        try:
            image = self._load()
        finally:
            self.ms += 1e3 * (time.perf_counter() - start)
        self.size = (image.shape[1], image.shape[0])
        return image
