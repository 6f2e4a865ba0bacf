"""Times of single steps, for batched runs, which do not tell them; and of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import time
from typing import Any

from ..data.base import Clip
from ..policies.step import Runner
from .run import ClipRun, Latency, latency

TIMED_FRAMES = 100


def time_steps(
    runner: Runner, clips: Sequence[Clip], frames: int = TIMED_FRAMES
) -> Latency:
    """
    Time single READ and FORECAST steps, one after the other, on the first frames.

    :param runner: reads every other frame, as ``alternate`` does.
    """
    run = ClipRun('timed')
    for clip, index in _first(clips, frames):
        if index == 0:
            runner.start(clip)
        run.steps.append(runner.step(clip.frame(index)))
    return latency([run])


def _first(clips: Sequence[Clip], frames: int) -> Iterator[tuple[Clip, int]]:
    for clip in clips:
        for index in range(min(len(clip), frames)):
            yield clip, index
        frames -= len(clip)


class Stopwatch:
    """Seconds since it was made, and those of them that processors worked for this process."""

    def __init__(self) -> None:
        """Start."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self, of: str) -> dict[str, Any]:
        """Tell both, as ``{of}_s`` and ``{of}_cpu_s``."""
        return {
            f'{of}_s': time.perf_counter() - self._wall,
            f'{of}_cpu_s': time.process_time() - self._cpu,
        }
