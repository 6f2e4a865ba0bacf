"""
Streaming average precision: what is known when a frame arrives (Li et al., ECCV 2020).

Computing takes time, and the world goes on. At the time of each frame the answer that counts is
the last one whose computation had finished by then, whichever frame it was made from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
import math

from ..data.base import Clip
from ..policies.step import Runner, Step
from ..scoring.metrics import ScoredClip
from ..types import Action, Detections
from .run import scored

# Answers of one step, in order: milliseconds of computing, and what they gave.
Answers = Sequence[tuple[float, Detections]]


@dataclass(frozen=True)
class Latencies:
    """
    Step times to plan for, in milliseconds.

    :ivar forecast: of a step that does not read. Where boxes are carried (``hold``, ``kalman``)
        that is the carrying: next to nothing.
    :ivar anticipation: of the head on the forecast, after a step. None takes ``forecast``, which
        has such a head in it: an upper bound.
    :raises ValueError: for a time below 0, or not finite.
    """

    read: float
    forecast: float
    anticipation: float | None = None

    def __post_init__(self) -> None:
        """Check the times."""
        times = (self.read, self.forecast, self.ahead)
        if not all(math.isfinite(time) and time >= 0 for time in times):
            raise ValueError(f'latencies {times}: milliseconds of at least 0 are needed')

    @property
    def ahead(self) -> float:
        """Milliseconds of an anticipation."""
        return self.forecast if self.anticipation is None else self.anticipation


def pair(
    stamps_ns: Sequence[int], step: Callable[[int], Answers], where: str = 'the clip'
) -> list[Detections]:
    """
    Simulate a detector beside a camera and tell what was known at each frame.

    A step starts on the newest frame that has arrived; if it knows that one already, it waits
    for the next. Frames that arrive while it computes are never seen but for the newest.

    :param stamps_ns: arrival of each frame, rising.
    :param step: computes on a frame (by index); each of its answers begins when the one before
        has finished. A second answer is an anticipation of the frame that is arriving.
    :param where: named in errors.
    :returns: for each frame the last answer finished by its stamp, empty before the first.
    :raises ValueError: if the stamps go back.
    """
    back = next((k for k in range(1, len(stamps_ns)) if stamps_ns[k] < stamps_ns[k - 1]), None)
    if back is not None:
        raise ValueError(
            f'{where}: the stamp of frame {back} goes back by '
            f'{(stamps_ns[back - 1] - stamps_ns[back]) / 1e6:g} ms: streaming AP needs the times '
            'at which frames came; leave --sap out, or cut the recording there'
        )
    answers = [Detections()]
    finished_ns = [-(1 << 62)]
    clock_ns, seen = (stamps_ns[0] if stamps_ns else 0), -1
    while seen + 1 < len(stamps_ns):
        newest = bisect_right(stamps_ns, clock_ns) - 1
        if newest <= seen:
            newest = seen + 1
            clock_ns = stamps_ns[newest]
        for latency_ms, answer in step(newest):
            clock_ns += round(latency_ms * 1e6)
            finished_ns.append(clock_ns)
            answers.append(answer)
        seen = newest
    return [answers[bisect_right(finished_ns, stamp) - 1] for stamp in stamps_ns]


def arrivals(clip: Clip) -> tuple[Sequence[int], str | None]:
    """
    Say when the frames of a clip came.

    :returns: nanoseconds, rising: the stamps, or the times of recording where stamps stand still;
        and a word on the latter.
    :raises ValueError: if the stamps go back, or neither rise.
    """
    stamps = [clip.stamp_ns(index) for index in range(len(clip))]
    steps = [after - before for before, after in zip(stamps, stamps[1:])]
    if all(step > 0 for step in steps):
        return stamps, None
    goes_back = min(steps) < 0
    frame = next(k for k, step in enumerate(steps, 1) if (step < 0 if goes_back else step == 0))
    how = f'goes back by {-steps[frame - 1] / 1e6:g} ms' if goes_back else (
        'is that of the frame before')
    what = f'{clip.source}: the stamp of frame {frame} {how}'
    times = [clip.recorded_ns(index) for index in range(len(clip))]
    recorded = [time for time in times if time is not None]
    rises = len(recorded) == len(stamps) and all(a < b for a, b in zip(recorded, recorded[1:]))
    if rises and not goes_back:
        return recorded, f'{what}: streaming AP goes by the times of recording'
    raise ValueError(
        f'{what}: streaming AP needs the times at which frames came; leave --sap out, or cut the '
        'recording there'
    )


def stream_clip(
    runner: Runner, clip: Clip, latencies: Latencies | None = None
) -> ScoredClip:
    """
    Run a clip at the speed of its stamps; a slow runner misses frames.

    :param latencies: to plan for other hardware; None takes the measured times.
    :returns: at each frame what was known when it arrived, beside its truth.
    :raises BadFrameError: for a frame that cannot be used.
    """
    runner.start(clip)

    def step(index: int) -> Answers:
        return _answers(runner.step(clip.frame(index)), latencies)

    return scored(clip, pair(arrivals(clip)[0], step, clip.source))


def _answers(step: Step, latencies: Latencies | None) -> Answers:
    first_ms, ahead_ms = step.latency_ms, step.anticipation_ms
    if latencies is not None:
        first_ms = latencies.read if step.action is Action.READ else latencies.forecast
        ahead_ms = latencies.ahead
    first = (first_ms, step.detections)
    return [first] if step.anticipated is None else [first, (ahead_ms, step.anticipated)]
