"""Every frame both read and forecast, from the same past: was the scheduler right to trust?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
import math

import torch

from ..config import StreamConfig
from ..engine.memory import Memory
from ..engine.rules import choose_known
from ..evaluation.fork import expect, fork, Runs, walk
from ..evaluation.run import Done, ignore
from ..evaluation.store import FeatureStore
from ..policies.detector import evaluation_config
from ..training.recipes import TemporalRecipe
from ..training.samples import to_target
from ..training.success import serves_as_well
from ..types import Action, Policy


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
    store: FeatureStore, p: float, success_iou: float, done: Done = ignore
) -> list[Trial]:
    """
    Steer streams by the scheduler at p, and try both on each of their frames.

    Frames that were not annotated are run, and give no trial.

    :param p: 1 reads every frame: the past is then the truth (teacher forcing).
    :param success_iou: overlap from which an object counts as found, (0, 1).
    """
    recipe = replace(TemporalRecipe(), relative=True, success_iou=success_iou)
    # Only detections from the label's own score on count.
    shown = evaluation_config(Policy.READ).replace(score_threshold=recipe.success_score)
    config = evaluation_config(Policy.SCHEDULER, p)
    trials: list[Trial] = []
    walk(store, partial(_try, store, config, shown, recipe, trials), done)
    return trials


def _try(
    store: FeatureStore, config: StreamConfig, shown: StreamConfig, recipe: TemporalRecipe,
    trials: list[Trial], active: Sequence[int], index: int, memory: Memory | None,
    runs: Runs,
) -> tuple[Memory, Runs]:
    """Step one frame of each stream, both ways where it has a past; go on as decided."""
    frames = [store.first[at] + index for at in active]
    expected, confidence = None, [math.nan] * len(active)
    if memory is not None:
        expected = expect(store, memory, frames)
        confidence = store.detector.forecaster.confidence(expected).tolist()
    chosen = [
        choose_known(run, store.frame(frame), store.geometry(frame).image_size, c, config)
        for run, frame, c in zip(runs, frames, confidence)
    ]
    both = fork(store, memory, expected, frames, [choice.starts for choice in chosen])
    if both.forecast is not None:
        found = store.detect(both.forecast, frames, shown)
        other = store.detect(both.read, frames, shown)
        for row, (at, run, choice) in enumerate(zip(active, runs, chosen)):
            truth = store.clips[at].truth(index)
            if truth.annotated and run is not None and not choice.starts:
                trials.append(Trial(
                    at, run.frames_since_read + 1, confidence[row],
                    serves_as_well(found[row], other[row], to_target(truth), recipe),
                    choice.action,
                ))
    after = [
        choice.follow(run, store.frame(frame), store.geometry(frame).image_size)
        for choice, run, frame in zip(chosen, runs, frames)
    ]
    return both.join([choice.action is Action.READ for choice in chosen]), list(after)
