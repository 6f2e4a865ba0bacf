"""
The oracle schedule: which frames to read if the truth were known. An upper bound, no detector.

At each frame both operations are tried, from what the past decisions left; the frame is read if
its forecast would cost more loss than a threshold, which is moved until the wanted share of the
frames is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.base import Truth
from ..types import Detections, Policy, StepResult
from .batched import as_step, Bench, read_share
from .detector import evaluation_config
from .matching import FloatArray, match_frame, Rule
from .run import ClipRun
from .taps import memories, restore

READ = evaluation_config(Policy.READ)
# Policy `alternate` forecasts as long as no READ is due.
FORECAST = evaluation_config(Policy.ALTERNATE, read_every=1 << 30)
PASSES = 5
# Of frames with the same regret, those whose forecast is older are read.
AGE_COST = 1e-6
TOLERANCE = 0.01


def frame_loss(detections: Detections, truth: Truth) -> float:
    """
    Count what is wrong in a frame, weighed by confidence.

    1 - score for an object found, 1 for one missed, the score of each false detection. Average
    precision judges rankings and has no value a frame; this has, and both are better where
    objects are found with confidence and nothing else is.
    """
    found, _ = match_frame(detections, truth, Rule.PLAIN)
    hit = found >= 0
    scores = detections.scores
    return float(len(truth) - scores[hit].sum() + scores[~hit].sum())


def run_oracle(bench: Bench, threshold: float) -> tuple[list[ClipRun], list[float]]:
    """
    Read a frame if forecasting it would cost more loss than ``threshold``.

    :returns: the runs, and the regrets (loss of the forecast less loss of the READ) of all
        frames but the first of each clip.
    """
    runs = [ClipRun(clip.name) for clip in bench.clips]
    regrets: list[float] = []
    for group in bench.groups():
        for index, active in bench.times(group):
            if index == 0:
                results = bench.step(active, index, READ)
            else:
                results, costs = _choose(bench, active, index, threshold)
                regrets += costs
            for at, result in results.items():
                runs[at].steps.append(as_step(result))
    return runs, regrets


def _choose(
    bench: Bench, active: Sequence[int], index: int, threshold: float
) -> tuple[dict[int, StepResult], list[float]]:
    """Try both on one frame of each active clip and leave the streams as the choice does."""
    names = [bench.clips[at].name for at in active]
    before = memories(bench.detector, names)
    results, regrets = bench.step(active, index, READ), list[float]()
    after_read = memories(bench.detector, names)
    restore(bench.detector, before)
    for at, tried in bench.step(active, index, FORECAST).items():
        name, truth = bench.clips[at].name, bench.clips[at].truth(index)
        regret = frame_loss(tried.detections, truth) - frame_loss(results[at].detections, truth)
        regrets.append(regret + AGE_COST * tried.decision.frames_since_read)
        if regrets[-1] > threshold:
            restore(bench.detector, {name: after_read[name]})
        else:
            results[at] = tried
    return results, regrets


def run_oracle_at(bench: Bench, share: float) -> list[ClipRun]:
    """Move the threshold until the oracle reads this share, as nearly as a few passes give."""
    threshold, low, high = 0.0, -np.inf, np.inf
    best: tuple[float, list[ClipRun]] | None = None
    for _ in range(PASSES):
        runs, regrets = run_oracle(bench, threshold)
        error = read_share(runs) - share
        if best is None or abs(error) < abs(best[0]):
            best = error, runs
        low, high = (max(low, threshold), high) if error > 0 else (low, min(high, threshold))
        if abs(error) <= TOLERANCE or high <= low:
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
