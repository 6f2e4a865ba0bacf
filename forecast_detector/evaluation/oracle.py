"""
The oracle schedule: which frames to read if the truth were known. An upper bound, no detector.

At each frame both operations are tried, from what the past decisions left; the frame is read if
its forecast would cost more loss than a threshold, which is moved until the wanted share of the
frames is read. One share takes up to five passes of two steps a frame: more than everything
else in a sweep together.
"""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
import torch

from ..data.base import Truth
from ..gating import break_in_stream
from ..types import Action, Detections, Policy
from .detector import evaluation_config
from .lockstep import advance, detect, expect, join, Past
from .matching import FloatArray, in_crowd, match_frame, Rule
from .rollout import groups, read_share
from .run import ClipRun, Step
from .store import FeatureStore, no_progress, Progress

CONFIG = evaluation_config(Policy.READ)
PASSES = 5
# Of frames with the same regret, those whose forecast is older are read.
AGE_COST = 1e-6
TOLERANCE = 0.01


def frame_loss(detections: Detections, truth: Truth) -> float:
    """
    Count what is wrong in a frame, weighed by confidence.

    1 - score for an object found, 1 for one missed, the score of each false detection (none in
    a crowd). A frame that was not annotated has no loss. Average precision judges rankings and
    has no value a frame; this has, and both are better where objects are found with confidence
    and nothing else is.
    """
    if not truth.annotated:
        return 0.0
    found, _ = match_frame(detections, truth, Rule.PLAIN)
    hit = found >= 0
    false = ~hit & ~in_crowd(detections, truth, Rule.PLAIN)
    scores = detections.scores
    return float(len(truth) - scores[hit].sum() + scores[false].sum())


@torch.inference_mode()
def run_oracle(
    store: FeatureStore, threshold: float, done: Progress = no_progress
) -> tuple[list[ClipRun], list[float]]:
    """
    Read a frame if forecasting it would cost more loss than ``threshold``.

    :returns: the runs, and the regrets (loss of the forecast less loss of the READ) of all
        frames that could be forecast.
    """
    runs = [ClipRun(clip.name) for clip in store.clips]
    regrets: list[float] = []
    for group in groups(store, [len(clip) for clip in store.clips]):
        past, ages = None, [0] * len(group)
        for index in range(len(store.clips[group[0]])):
            active = [at for at in group if index < len(store.clips[at])]
            past = _step(store, threshold, active, index, past, ages, runs, regrets)
            done(len(active))
    return runs, regrets


def _step(
    store: FeatureStore, threshold: float, active: Sequence[int], index: int, past: Past | None,
    ages: list[int], runs: Sequence[ClipRun], regrets: list[float],
) -> Past:
    """Try both on one frame of each active clip, and go on from the better one."""
    rows = range(len(active))
    frames = [store.first[at] + index for at in active]
    network = store.detector.network
    past = past.rows(rows) if past is not None else None
    fresh = [row for row in rows if index == 0 or _breaks(store, active[row], index)]
    read = advance(network, store.features(frames), past, fresh, judge=False)
    found = detect(store, read, frames, CONFIG)
    tried, guessed = None, found
    if past is not None:
        features, _ = expect(store, past, frames, [frame - 1 for frame in frames])
        tried = advance(network, features, past, judge=False)
        guessed = detect(store, tried, frames, CONFIG)
    chosen = []
    for row in rows:
        reads = row in fresh
        if not reads:
            truth = store.clips[active[row]].truth(index)
            regret = frame_loss(guessed[row], truth) - frame_loss(found[row], truth)
            regrets.append(regret + AGE_COST * (ages[row] + 1))
            reads = regrets[-1] > threshold
        ages[row] = 0 if reads else ages[row] + 1
        chosen.append(reads)
        runs[active[row]].steps.append(
            Step(found[row], Action.READ, 0.0) if reads
            else Step(guessed[row], Action.FORECAST, 0.0)
        )
    return join(read, tried, chosen) if tried is not None else read


def _breaks(store: FeatureStore, at: int, index: int) -> bool:
    """Whether a frame does not continue its clip."""
    last, frame = store.first[at] + index - 1, store.first[at] + index
    return (
        break_in_stream(store.header(last), store.header(frame), CONFIG) is not None
        or store.geometry(last).image_size != store.geometry(frame).image_size
    )


def run_oracle_at(
    store: FeatureStore, share: float, done: Progress = no_progress
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
