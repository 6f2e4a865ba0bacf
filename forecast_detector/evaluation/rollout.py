"""
Runs of many policies over the same clips, side by side: what ``evaluate`` gives, for less.

Every frame is read once. Streams of all clips and all policies are stepped together, as the
streaming engine steps one; a test compares them. Batches round differently in the last digit, so
scores differ by about 1e-5, and a decision can differ where the confidence is that near to p.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
import math

import torch
from torch import Tensor

from ..config import StreamConfig
from ..gating import accumulated, break_in_stream, decide
from ..types import Action, Detections, Policy, Reason
from .lockstep import advance, correct, detect, expect, join, Past
from .run import ClipRun, Step
from .store import FeatureStore, no_progress, Progress

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
        if self.copy and self.config.policy is Policy.SCHEDULER:
            raise ValueError('copy under policy scheduler: it judges forecasts; use alternate')


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


class Lane:
    """
    Decides for one stream, as the streaming engine does, and takes down its steps.

    :ivar since_read: forecasts in a row so far, 0 after a READ.
    """

    def __init__(self, stream: Stream, store: FeatureStore) -> None:
        self.stream, self._store = stream, store
        self.frames, self.setting = stream.frames, stream.setting
        self.steps: list[Step] = []
        self.since_read = 0
        self._trust = 1.0
        # Only a decoded image tells its size; a copy does not peek.
        self._peeks = store.detector.network.config.peek > 0 and not self.setting.copy
        self._size: tuple[int, int] | None = None

    def number(self, at: int) -> int:
        """Give the number in the store of the stream's frame ``at``."""
        return self._store.first[self.stream.clip] + self.frames[at]

    def decide(self, at: int, confidence: float) -> tuple[Action, Reason, float]:
        """
        Choose READ or FORECAST for the stream's frame ``at``.

        :param confidence: the scheduler's, for this frame.
        :returns: the choice, why, and the confidence compared with p, NaN where none was.
        """
        confidence = accumulated(confidence, self._trust, self.setting.config)
        action, reason = self._choose(at, confidence)
        if action is Action.READ or self._peeks:
            size = self._store.geometry(self.number(at)).image_size
            if self._size is not None and size != self._size:
                action, reason = Action.READ, Reason.RESET
            self._size = size
        self.since_read = 0 if action is Action.READ else self.since_read + 1
        self._trust = 1.0 if action is Action.READ else confidence
        fresh = reason in (Reason.FIRST_FRAME, Reason.RESET)
        return action, reason, math.nan if fresh else confidence

    def _choose(self, at: int, confidence: float) -> tuple[Action, Reason]:
        if at == 0:
            return Action.READ, Reason.FIRST_FRAME
        last, frame = (self._store.header(self.number(i)) for i in (at - 1, at))
        if break_in_stream(last, frame, self.setting.config) is not None:
            return Action.READ, Reason.RESET
        return decide(confidence, self.since_read, self.setting.config)[:2]


@torch.inference_mode()
def roll(
    store: FeatureStore, streams: Sequence[Stream], detects: bool = True,
    done: Progress = no_progress,
) -> list[list[Step]]:
    """
    Run streams, each from a fresh start.

    :param detects: whether objects are detected; otherwise only decisions are made.
    :param done: called with the number of frames done, for progress.
    :returns: the steps of each stream; they have no time of their own (0).
    """
    lanes = [Lane(stream, store) for stream in streams]
    for judged in (False, True):
        some = [lane for lane in lanes if _judged(lane) is judged]
        for group in groups(store, [len(lane.frames) for lane in some]):
            _roll(store, [some[at] for at in group], judged, detects, done)
    return [lane.steps for lane in lanes]


def groups(store: FeatureStore, lengths: Sequence[int]) -> Iterator[list[int]]:
    """Take streams of like length together, the longest first."""
    width = WIDTH.get(store.detector.device.type, 32)
    order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
    for start in range(0, len(order), width):
        yield order[start:start + width]


def _judged(lane: Lane) -> bool:
    """Whether the scheduler has a say."""
    return lane.setting.config.policy is Policy.SCHEDULER


def _roll(
    store: FeatureStore, lanes: Sequence[Lane], judged: bool, detects: bool, done: Progress
) -> None:
    """Run streams together; the longest comes first."""
    past: Past | None = None
    for at in range(len(lanes[0].frames)):
        active = [lane for lane in lanes if at < len(lane.frames)]
        frames = [lane.number(at) for lane in active]
        before = [lane.number(at - 1) for lane in active] if past is not None else []
        forecast: Tensor | None = None
        confidence: Sequence[float] = [math.nan] * len(active)
        if past is not None:
            past = past.rows(range(len(active)))
            forecast = past.forecast
            if judged:
                forecast, confidence = expect(store, past, frames, before)
        chosen = [lane.decide(at, c) for lane, c in zip(active, confidence)]
        if past is not None and not judged:
            # What is read or copied needs no correction, and nobody judges it.
            forecast = correct(store, past, frames, before, [
                row for row, (lane, (action, _, _)) in enumerate(zip(active, chosen))
                if action is Action.FORECAST and not lane.setting.copy
            ])
        features = _gather(store, frames, [action for action, _, _ in chosen], forecast)
        fresh = [row for row, (_, reason, _) in enumerate(chosen) if reason is Reason.RESET]
        stepped = advance(store.detector.network, features, past, fresh, judged)
        stepped = _copying(stepped, features, active)
        past = stepped if past is None else _committed(past, stepped, [
            action is Action.READ or lane.setting.config.commit_on_forecast
            for lane, (action, _, _) in zip(active, chosen)
        ])
        found = [Detections()] * len(active)
        if detects:
            found = detect(store, past, frames, active[0].setting.config)
        for lane, one, (action, reason, c) in zip(active, found, chosen):
            lane.steps.append(Step(one, action, 0.0, c, reason=reason))
        done(len(active))


def _gather(
    store: FeatureStore, frames: Sequence[int], actions: Sequence[Action], forecast: Tensor | None
) -> Tensor:
    """Gather F of every stream: read features, or the forecast of the frame."""
    read = [row for row, action in enumerate(actions) if action is Action.READ]
    if forecast is None or len(read) == len(frames):
        return store.features(frames)
    features = forecast.clone()
    if read:
        features[read] = store.features([frames[row] for row in read])
    return features


def _committed(before: Past, stepped: Past, commits: Sequence[bool]) -> Past:
    """Leave the LSTM state of streams that do not commit as it was."""
    if all(commits):
        return stepped
    return replace(stepped, state=join(stepped, before, commits).state)


def _copying(past: Past, features: Tensor, lanes: Sequence[Lane]) -> Past:
    """Let copying streams go on from the same features."""
    rows = [row for row, lane in enumerate(lanes) if lane.setting.copy]
    if not rows:
        return past
    forecast = past.forecast.clone()
    forecast[rows] = features[rows]
    return replace(past, forecast=forecast)


def run_settings(
    store: FeatureStore, settings: Sequence[Setting], done: Progress = no_progress
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
