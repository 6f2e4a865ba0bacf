"""Many clips in one batched step, READ features computed once: for pass after pass."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..config import StreamConfig
from ..data.base import Clip
from ..streaming import StreamingDetector
from ..types import Action, Policy, StepFailure, StepResult
from .detector import DetectorRunner, evaluation_config
from .run import ClipRun, Latency, latency, run_clips, Step
from .taps import FeatureCache, NetworkTap

Progress = Callable[[int], object]
TIMED_FRAMES = 200


class Bench:
    """
    Steps the clips of a data set side by side, each a stream of one detector.

    Steps are not timed: they share their time, and READs come from a cache.

    :ivar done: called with the number of frames done, for progress.
    """

    def __init__(
        self, detector: StreamingDetector, clips: Sequence[Clip], width: int = 16,
        done: Progress = lambda frames: None,
    ) -> None:
        """
        Take over a detector.

        :param width: clips at a time.
        :raises ValueError: if two clips have the same name.
        """
        if len({clip.name for clip in clips}) < len(clips):
            raise ValueError('two clips have the same name; streams are told apart by it')
        self.detector, self.clips, self.width, self.done = detector, clips, width, done
        self.tap = NetworkTap(detector, FeatureCache())

    def run(
        self, config: StreamConfig, copy: bool = False, every: int = 1
    ) -> list[ClipRun]:
        """
        Run every clip from a fresh start.

        :param copy: see :class:`~.taps.NetworkTap`.
        :param every: show the detector only every so many frames.
        :returns: steps of the frames shown, in the order of the clips.
        :raises BadFrameError: for a frame that cannot be used.
        """
        self.tap.copy = copy
        runs = [ClipRun(clip.name) for clip in self.clips]
        for group in self.groups():
            for index, active in self.times(group, every):
                for at, result in self.step(active, index, config).items():
                    runs[at].steps.append(as_step(result))
        self.tap.copy = False
        return runs

    def groups(self) -> Iterator[list[int]]:
        """Take clips of like length together, a fresh start for each."""
        order = sorted(range(len(self.clips)), key=lambda at: -len(self.clips[at]))
        for start in range(0, len(order), self.width):
            group = order[start:start + self.width]
            for at in group:
                self.detector.forget(self.clips[at].name)
            yield group
            for at in group:
                self.detector.forget(self.clips[at].name)

    def times(self, group: Sequence[int], every: int = 1) -> Iterator[tuple[int, list[int]]]:
        """Go through the frames; with each, the clips that are that long."""
        for index in range(0, len(self.clips[group[0]]), every):
            active = [at for at in group if index < len(self.clips[at])]
            yield index, active
            self.done(len(active))

    def step(
        self, active: Sequence[int], index: int, config: StreamConfig
    ) -> dict[int, StepResult]:
        """
        Step the frame ``index`` of the active clips under a configuration.

        :raises BadFrameError: for a frame that cannot be used.
        """
        self.detector.config = config
        frames = {
            self.clips[at].name: self.tap.frame(
                (self.clips[at].name, index), self.clips[at].frame(index)
            ) for at in active
        }
        answers = self.detector.step(frames)
        results = {}
        for at in active:
            result = answers[self.clips[at].name]
            if isinstance(result, StepFailure):
                raise result.error
            results[at] = result
        return results


def as_step(result: StepResult) -> Step:
    """Take down a result of a batched step, which has no time of its own."""
    decision = result.decision
    return Step(
        result.detections, decision.action, 0.0, decision.confidence, reason=decision.reason
    )


def read_share(runs: Sequence[ClipRun]) -> float:
    """Share of the frames that were read."""
    actions = [step.action for run in runs for step in run.steps]
    return actions.count(Action.READ) / len(actions)


def time_steps(bench: Bench) -> Latency:
    """Time single READ and FORECAST steps on the first frames, uncached."""
    kept, bench.tap.cache = bench.tap.cache, None
    runner = DetectorRunner(bench.detector, evaluation_config(Policy.ALTERNATE))
    clips = list(bench.clips)
    lengths = np.cumsum([len(clip) for clip in clips])
    timed = latency(run_clips(runner, clips[:bisect_right(lengths.tolist(), TIMED_FRAMES) + 1]))
    bench.tap.cache = kept
    if timed.forecast_ms is None:
        raise ValueError('no clip has two frames: there is nothing to forecast and to time')
    return timed
