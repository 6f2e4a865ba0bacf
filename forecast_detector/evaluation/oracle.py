"""
The oracle schedule: which frames to read if the truth were known. An upper bound, no detector.

At each frame both operations are tried, from what the past decisions left; the frame is read if
its forecast would cost more loss than a threshold, which is moved until the wanted share of the
frames is read. One share takes up to five passes of two steps a frame: more than everything
else in a sweep together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
import math

import numpy as np
import torch

from ..engine.memory import Memory
from ..engine.rules import Choice, choose_known, FIRST
from ..policies.detector import evaluation_config
from ..policies.step import Step
from ..scoring.frame_loss import frame_loss
from ..scoring.matching import FloatArray
from ..types import Action, Policy, Reason
from .fork import expect, fork, Runs, walk
from .rollout import read_share
from .run import ClipRun, Done, ignore
from .store import FeatureStore

CONFIG = evaluation_config(Policy.READ)
READ, FORECAST = (Choice(action, Reason.POLICY, 'oracle') for action in Action)
PASSES = 5
# Of frames with the same regret, those whose forecast is older are read.
AGE_COST = 1e-6
TOLERANCE = 0.01


@torch.inference_mode()
def run_oracle(
    store: FeatureStore, threshold: float, done: Done = ignore
) -> tuple[list[ClipRun], list[float]]:
    """
    Read a frame if forecasting it would cost more loss than ``threshold``.

    :returns: the runs, and the regrets (loss of the forecast less loss of the READ) of all
        frames that could be forecast.
    """
    results = [ClipRun(clip.name) for clip in store.clips]
    regrets: list[float] = []
    walk(store, partial(_step, store, threshold, results, regrets), done)
    return results, regrets


def _step(
    store: FeatureStore, threshold: float, results: Sequence[ClipRun], regrets: list[float],
    active: Sequence[int], index: int, memory: Memory | None, runs: Runs,
) -> tuple[Memory, Runs]:
    """Try both on one frame of each active clip, and go on from the better one."""
    frames = [store.first[at] + index for at in active]
    fresh = [
        choose_known(
            run, store.frame(frame), store.geometry(frame).image_size, math.nan, CONFIG
        ).starts for run, frame in zip(runs, frames)
    ]
    expected = expect(store, memory, frames) if memory is not None else None
    both = fork(store, memory, expected, frames, fresh)
    found = store.detect(both.read, frames, CONFIG)
    guessed = store.detect(both.forecast, frames, CONFIG) if both.forecast else found
    reads: list[bool] = []
    after: Runs = []
    for row, (at, run) in enumerate(zip(active, runs)):
        chosen = FIRST
        if run is not None and not fresh[row]:
            truth = store.clips[at].truth(index)
            regret = frame_loss(guessed[row], truth) - frame_loss(found[row], truth)
            regrets.append(regret + AGE_COST * (run.frames_since_read + 1))
            chosen = READ if regrets[-1] > threshold else FORECAST
        reads.append(chosen.action is Action.READ)
        results[at].steps.append(
            Step(found[row] if reads[-1] else guessed[row], chosen.action, 0.0)
        )
        geometry = store.geometry(frames[row])
        after.append(chosen.follow(run, store.frame(frames[row]), geometry.image_size))
    return both.join(reads), after


def run_oracle_at(
    store: FeatureStore, share: float, done: Done = ignore
) -> list[ClipRun]:
    """Move the threshold until the oracle reads this share, as nearly as a few passes give."""
    threshold, low, high = 0.0, -math.inf, math.inf
    best: tuple[float, list[ClipRun]] | None = None
    for _ in range(PASSES):
        runs, regrets = run_oracle(store, threshold, done)
        error = read_share(runs) - share
        if best is None or abs(error) < abs(best[0]):
            best = error, runs
        low, high = (max(low, threshold), high) if error > 0 else (low, min(high, threshold))
        if abs(error) <= TOLERANCE or high <= low or not regrets:
            break
        threshold = _next_threshold(np.array(regrets), share, low, high)
    assert best is not None
    return best[1]


def _next_threshold(
    regrets: FloatArray, share: float, low: float, high: float
) -> float:
    """Quantile of the last regrets that would give the share, kept between the bounds."""
    threshold = float(np.quantile(regrets, 1 - share))
    if low < threshold < high:
        return threshold
    inside = regrets[(regrets > low) & (regrets < high)]
    if len(inside):
        return float(np.median(inside))
    return (max(low, regrets.min()) + min(high, regrets.max())) / 2
