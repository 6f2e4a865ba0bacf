"""Every frame both read and forecast, from the same past: was the scheduler right to trust?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..config import StreamConfig
from ..data.base import Truth
from ..evaluation.detector import evaluation_config
from ..evaluation.lockstep import advance, detect, expect, join, Past
from ..evaluation.rollout import groups, Lane, Setting, Stream
from ..evaluation.store import FeatureStore, no_progress, Progress
from ..training.losses import Target
from ..training.recipes import TemporalRecipe
from ..training.success import serves_as_well
from ..types import Action, Policy, Reason


@dataclass(frozen=True)
class Trial:
    """
    One frame that could be forecast.

    :ivar clip: index of its clip.
    :ivar age: forecasts in a row, should it be one; 1 follows a READ.
    :ivar confidence: the scheduler's, that the forecast serves.
    :ivar serves: whether the forecast finds every object that a READ finds here (no object:
        raises no alarm that a READ does not).
    :ivar action: what the stream did.
    """

    clip: int
    age: int
    confidence: float
    serves: bool
    action: Action


@torch.inference_mode()
def run_trials(
    store: FeatureStore, p: float, success_iou: float, done: Progress = no_progress
) -> list[Trial]:
    """
    Steer streams by the scheduler at p, and try both on each of their frames.

    Frames that were not annotated are run, and give no trial.

    :param p: 1 reads every frame: the past is then the truth (teacher forcing).
    :param success_iou: overlap from which an object counts as found, (0, 1).
    """
    recipe = replace(TemporalRecipe(), relative=True, success_iou=success_iou)
    # Only detections from the label's own score on are looked at.
    looking = evaluation_config(Policy.READ).replace(score_threshold=recipe.success_score)
    setting = Setting(evaluation_config(Policy.SCHEDULER, p))
    trials: list[Trial] = []
    lengths = [len(clip) for clip in store.clips]
    for group in groups(store, lengths):
        lanes = [Lane(Stream(at, range(lengths[at]), setting), store) for at in group]
        past = None
        for index in range(lengths[group[0]]):
            lanes = [lane for lane in lanes if index < len(lane.frames)]
            past = _try(store, lanes, index, past, looking, recipe, trials)
            done(len(lanes))
    return trials


def _try(
    store: FeatureStore, lanes: Sequence[Lane], index: int, past: Past | None,
    looking: StreamConfig, recipe: TemporalRecipe, trials: list[Trial],
) -> Past:
    """Step one frame of each stream, both ways where it has a past; go on as decided."""
    network = store.detector.network
    frames = [lane.number(index) for lane in lanes]
    if past is None:
        for lane in lanes:
            lane.decide(index, 0.0)
        return advance(network, store.features(frames), None)
    past = past.rows(range(len(lanes)))
    forecast, confidence = expect(store, past, frames, [lane.number(index - 1) for lane in lanes])
    ages = [lane.since_read + 1 for lane in lanes]
    chosen = [lane.decide(index, c) for lane, c in zip(lanes, confidence)]
    fresh = [row for row, (_, reason, _) in enumerate(chosen) if reason is Reason.RESET]
    read = advance(network, store.features(frames), past, fresh)
    tried = advance(network, forecast, past)
    found, other = (detect(store, one, frames, looking) for one in (tried, read))
    for row, lane in enumerate(lanes):
        truth = store.clips[lane.stream.clip].truth(index)
        if truth.annotated and row not in fresh:
            trials.append(Trial(
                lane.stream.clip, ages[row], confidence[row],
                serves_as_well(found[row], other[row], _target(truth), recipe), chosen[row][0],
            ))
    return join(read, tried, [action is Action.READ for action, _, _ in chosen])


def _target(truth: Truth) -> Target:
    return Target(torch.from_numpy(truth.boxes), torch.from_numpy(truth.labels))
