"""Run a detector over the clips of a data set and collect what it gives, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..data.base import Clip
from ..data.views import annotated_truths
from ..policies.step import Runner, Step
from ..records.evaluation import Percentiles
from ..scoring.metrics import ScoredClip
from ..types import Action, Detections

# Called with the number of frames done since the last call.
Done = Callable[[int], object]


def ignore(frames: int) -> None:
    """Show no progress."""


@dataclass
class ClipRun:
    """The steps of one clip, in order."""

    name: str
    steps: list[Step] = field(default_factory=list)

    def scored(self, clip: Clip) -> ScoredClip:
        """Set the detections beside the truth of their clip."""
        return scored(clip, [step.detections for step in self.steps])


def scored(clip: Clip, detections: Sequence[Detections]) -> ScoredClip:
    """Set detections beside what they are judged by, and what is annotated beside that."""
    return ScoredClip(
        clip.name, detections, [clip.truth(index) for index in range(len(clip))],
        annotated_truths(clip))


def run_clip(runner: Runner, clip: Clip, done: Done = ignore) -> ClipRun:
    """
    Run over every frame of a clip, from a fresh start.

    :raises BadFrameError: for a frame that cannot be used; names clip and frame.
    """
    runner.start(clip)
    run = ClipRun(clip.name)
    for index in range(len(clip)):
        run.steps.append(runner.step(clip.frame(index)))
        done(1)
    return run


def run_clips(runner: Runner, clips: Sequence[Clip], done: Done = ignore) -> list[ClipRun]:
    """Run over every clip, see :func:`run_clip`."""
    return [run_clip(runner, clip, done) for clip in clips]


@dataclass(frozen=True)
class Latency:
    """
    Step times of a run in milliseconds; None without a step.

    :ivar ms_per_frame: the medians of READ and FORECAST weighted by their shares.
    """

    read_share: float
    read_ms: Percentiles | None
    forecast_ms: Percentiles | None

    @property
    def ms_per_frame(self) -> float:
        """Milliseconds that a frame costs at this share of READs."""
        read = self.read_ms.p50 if self.read_ms else 0.0
        forecast = self.forecast_ms.p50 if self.forecast_ms else 0.0
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


def percentiles(times: Sequence[float] | NDArray[np.float64]) -> Percentiles | None:
    """Give median and 95th percentile, None of nothing."""
    if not len(times):
        return None
    median, high = np.percentile(times, (50, 95))
    return Percentiles(float(median), float(high))
