"""Many clips in one batched step, READ features computed once: for pass after pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..config import StreamConfig
from ..data.base import Clip
from ..streaming import StreamingDetector
from ..types import Action, Policy, StepFailure, StepResult
from .detector import evaluation_config
from .oracle import frame_loss
from .run import ClipRun, Step
from .taps import FeatureCache, memories, NetworkTap, restore

Progress = Callable[[int], None]
# A FORECAST comes out of policy `alternate` if no READ is ever due.
NEVER = 1 << 30


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
        for group in self._groups():
            for index, active in self._times(group, every):
                for at, result in self._step(active, index, config).items():
                    runs[at].steps.append(_as_step(result))
        self.tap.copy = False
        return runs

    def run_oracle(self, threshold: float) -> tuple[list[ClipRun], list[float]]:
        """
        Read a frame if forecasting it would cost more loss than ``threshold``.

        Both are tried at each frame, from what the past decisions left; the truth decides.

        :returns: the runs, and the regrets (loss of the forecast less loss of the READ) of all
            frames but the first of each clip.
        """
        read = evaluation_config(Policy.READ)
        forecast = evaluation_config(Policy.ALTERNATE, read_every=NEVER)
        runs, regrets = [ClipRun(clip.name) for clip in self.clips], []
        for group in self._groups():
            for index, active in self._times(group, 1):
                names = [self.clips[at].name for at in active]
                before = memories(self.detector, names) if index else {}
                results = self._step(active, index, read)
                if index:
                    after_read = memories(self.detector, names)
                    restore(self.detector, before)
                    for at, tried in self._step(active, index, forecast).items():
                        truth = self.clips[at].truth(index)
                        regret = frame_loss(tried.detections, truth) - frame_loss(
                            results[at].detections, truth)
                        regrets.append(regret)
                        name = self.clips[at].name
                        if regret <= threshold:
                            results[at] = tried
                        else:
                            restore(self.detector, {name: after_read[name]})
                for at, result in results.items():
                    runs[at].steps.append(_as_step(result))
        return runs, regrets

    def _groups(self) -> Iterator[list[int]]:
        """Take clips of like length together, a fresh start for each."""
        order = sorted(range(len(self.clips)), key=lambda at: -len(self.clips[at]))
        for start in range(0, len(order), self.width):
            group = order[start:start + self.width]
            for at in group:
                self.detector.forget(self.clips[at].name)
            yield group
            for at in group:
                self.detector.forget(self.clips[at].name)

    def _times(self, group: Sequence[int], every: int) -> Iterator[tuple[int, list[int]]]:
        """Go through the frames; with each, the clips that are that long."""
        for index in range(0, len(self.clips[group[0]]), every):
            active = [at for at in group if index < len(self.clips[at])]
            yield index, active
            self.done(len(active))

    def _step(
        self, active: Sequence[int], index: int, config: StreamConfig
    ) -> dict[int, StepResult]:
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


def _as_step(result: StepResult) -> Step:
    return Step(result.detections, result.decision.action, 0.0, result.decision.confidence)


def read_share(runs: Sequence[ClipRun]) -> float:
    """Share of the frames that were read."""
    actions = [step.action for run in runs for step in run.steps]
    return actions.count(Action.READ) / len(actions)
