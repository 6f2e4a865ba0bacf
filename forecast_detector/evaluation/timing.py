"""Times of single steps, for batched runs, which do not tell them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..data.base import Clip
from ..streaming import StreamingDetector
from ..types import Policy
from .detector import DetectorRunner, evaluation_config
from .run import ClipRun, Latency, latency

TIMED_FRAMES = 100


def time_steps(
    detector: StreamingDetector, clips: Sequence[Clip], frames: int = TIMED_FRAMES
) -> Latency:
    """
    Time single READ and FORECAST steps, one after the other, on the first frames.

    :raises ValueError: if no clip has two frames.
    """
    runner = DetectorRunner(detector, evaluation_config(Policy.ALTERNATE))
    run = ClipRun('timed')
    for clip, index in _first(clips, frames):
        if index == 0:
            runner.start(clip)
        run.steps.append(runner.step(clip.frame(index)))
    timed = latency([run])
    if timed.forecast_ms is None:
        raise ValueError('no clip has two frames: there is nothing to forecast and to time')
    return timed


def _first(clips: Sequence[Clip], frames: int) -> Iterator[tuple[Clip, int]]:
    for clip in clips:
        for index in range(min(len(clip), frames)):
            yield clip, index
        frames -= len(clip)
