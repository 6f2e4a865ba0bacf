"""
Streaming average precision: what is known when a frame arrives (Li et al., ECCV 2020).

Computing takes time, and the world goes on. At the time of each frame the answer that counts is
the last one whose computation had finished by then, whichever frame it was made from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from ..data.base import Clip
from ..types import Action, Detections
from .metrics import ScoredClip
from .run import Runner, Step

# Answers of one step, in order: milliseconds of computing, and what they gave.
Answers = Sequence[tuple[float, Detections]]


def pair(stamps_ns: Sequence[int], step: Callable[[int], Answers]) -> list[Detections]:
    """
    Simulate a detector beside a camera and tell what was known at each frame.

    A step starts on the newest frame that has arrived; if it knows that one already, it waits
    for the next. Frames that arrive while it computes are never seen but for the newest.

    :param stamps_ns: arrival of each frame, rising.
    :param step: computes on a frame (by index); each of its answers begins when the one before
        has finished. A second answer is an anticipation of the frame that is arriving.
    :returns: for each frame the last answer finished by its stamp, empty before the first.
    """
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


def stream_clip(
    runner: Runner, clip: Clip, latency_ms: tuple[float, float] | None = None
) -> ScoredClip:
    """
    Run a clip at the speed of its stamps; a slow runner misses frames.

    :param latency_ms: milliseconds of a READ and of a FORECAST step, to plan for other
        hardware; None takes the measured ones. Anticipation is always as measured.
    :returns: at each frame what was known when it arrived, beside its truth.
    :raises BadFrameError: for a frame that cannot be used.
    """
    runner.start(clip)

    def step(index: int) -> Answers:
        return _answers(runner.step(clip.frame(index)), latency_ms)

    stamps = [clip.stamp_ns(index) for index in range(len(clip))]
    return ScoredClip(
        clip.name, pair(stamps, step), [clip.truth(index) for index in range(len(clip))]
    )


def _answers(step: Step, latency_ms: tuple[float, float] | None) -> Answers:
    latency = step.latency_ms
    if latency_ms is not None:
        latency = latency_ms[0 if step.action is Action.READ else 1]
    first = (latency, step.detections)
    if step.anticipated is None:
        return [first]
    return [first, (step.anticipation_ms, step.anticipated)]
