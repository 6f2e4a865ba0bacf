"""
Runs of many policies over the same clips, side by side: what ``evaluate`` gives, for less.

Every frame is read once, and the engine steps streams of all clips and all policies together.
Batches round differently in the last digit, so scores differ by about 1e-5, and a decision can
differ where the confidence is that near to p.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from ..config import StreamConfig
from ..engine import StreamingDetector
from ..engine.recurrence import CopiedForecast
from ..policies.step import Step
from ..types import Action, Policy
from .run import ClipRun, Done, ignore
from .store import FeatureStore

# More are not faster on a CPU, and take memory.
WIDTH = {'cpu': 32, 'cuda': 512}


@dataclass(frozen=True)
class Setting:
    """
    How streams are run.

    :ivar copy: whether the features of the last READ serve instead of the forecast.
    :ivar every: only every so many frames are shown.
    :raises ValueError: for a copy under the scheduler, which judges forecasts.
    """

    config: StreamConfig
    copy: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        """Check that they go together."""
        if self.copy and self.config.policy is not Policy.ALTERNATE:
            raise ValueError(
                f'copy under policy {self.config.policy.value}: a copy is taken at even '
                'distances, and nobody judges it; use alternate'
            )


@dataclass(frozen=True)
class Stream:
    """
    One run over frames of a clip.

    :ivar clip: its index in the store.
    :ivar frames: those that are shown.
    """

    clip: int
    frames: range
    setting: Setting


@torch.inference_mode()
def roll(
    store: FeatureStore, streams: Sequence[Stream], detects: bool = True,
    done: Done = ignore,
) -> list[list[Step]]:
    """
    Run streams, each from a fresh start.

    :param detects: whether objects are detected; otherwise only decisions are made.
    :param done: called with the number of frames done, for progress.
    :returns: the steps of each stream; they have no time of their own (0).
    """
    steps: list[list[Step]] = [[] for _ in streams]
    for copies in (False, True):
        some = [at for at, stream in enumerate(streams) if stream.setting.copy is copies]
        members = [(streams[at].clip, len(streams[at].frames)) for at in some]
        for group in groups(store, members):
            detector = store.streaming(CopiedForecast() if copies else None)
            together = {f'{some[at]}': (streams[some[at]], steps[some[at]]) for at in group}
            _roll(store, detector, together, detects, done)
    return steps


def groups(
    store: FeatureStore, streams: Sequence[tuple[int, int]]
) -> Iterator[list[int]]:
    """
    Take streams of like length together whose inputs are of one size, the longest first.

    :param streams: the clip of each, and its length.
    :returns: their numbers.
    """
    width = WIDTH.get(store.detector.device.type, 32)
    of_size: dict[tuple[int, int], list[int]] = {}
    for at in sorted(range(len(streams)), key=lambda at: -streams[at][1]):
        of_size.setdefault(store.input_size(streams[at][0]), []).append(at)
    for order in of_size.values():
        for start in range(0, len(order), width):
            yield order[start:start + width]


def _roll(
    store: FeatureStore, detector: StreamingDetector,
    streams: Mapping[str, tuple[Stream, list[Step]]], detects: bool, done: Done,
) -> None:
    """Step streams together until the longest ends."""
    configs = {name: stream.setting.config for name, (stream, _) in streams.items()}
    for at in range(max(len(stream.frames) for stream, _ in streams.values())):
        frames = {
            name: store.frame(store.first[stream.clip] + stream.frames[at])
            for name, (stream, _) in streams.items() if at < len(stream.frames)
        }
        for name, result in detector.step(frames, configs, detects).items():
            streams[name][1].append(Step.of(result.or_raise(), 0.0))
        done(len(frames))


def run_settings(
    store: FeatureStore, settings: Sequence[Setting], done: Done = ignore
) -> list[list[ClipRun]]:
    """
    Run several settings over every clip.

    :returns: for each setting the steps of the frames shown, in the order of the clips.
    """
    streams = [
        Stream(clip, range(0, len(store.clips[clip]), setting.every), setting)
        for setting in settings for clip in range(len(store.clips))
    ]
    steps = iter(roll(store, streams, done=done))
    return [[ClipRun(clip.name, next(steps)) for clip in store.clips] for _ in settings]


def read_share(runs: Sequence[ClipRun]) -> float:
    """Share of the frames that were read."""
    actions = [step.action for run in runs for step in run.steps]
    return actions.count(Action.READ) / len(actions)
