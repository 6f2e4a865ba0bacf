"""
Find the p that gives a wanted share of READs, without detecting anything.

A stretch of every clip is run at many p side by side, encoders and scheduler only: about the
time of two passes over features that are there. Whole runs at the p found then correct it.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any

import numpy as np

from ..policies.detector import evaluation_config
from ..policies.step import Step
from ..scoring.matching import FloatArray
from ..types import Action, Policy
from .rollout import roll, Setting, Stream
from .run import Done, ignore
from .store import FeatureStore

# A run of n forecasts has about the nth power of one forecast's confidence; these n are tried.
RUNS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0)
LEAST_CONFIDENCE = 1e-6
WINDOW = 1 / 5
# Frames after the start of a window until its stream is as if it had run from the beginning.
SETTLE = 4


class ShareCurve:
    """
    The share of READs as a function of p, from a sample and from whole runs.

    Between known p it is linear in the rank of p among the confidences that occur.
    """

    def __init__(
        self, p: Sequence[float], shares: Sequence[float], confidences: Sequence[float]
    ) -> None:
        """
        Take a sample.

        :param p: thresholds, rising, and the ``shares`` that they gave.
        :param confidences: that the scheduler gave on the way.
        """
        self._seen = np.unique(confidences)
        self._ranks = self._rank(p)
        self._shares = np.maximum.accumulate(np.asarray(shares, np.float64))
        self._measured: dict[float, float] = {}

    def _rank(self, p: Sequence[float] | FloatArray) -> FloatArray:
        return np.searchsorted(self._seen, np.asarray(p), 'right').astype(np.float64)

    def add(self, p: float, share: float) -> None:
        """Take in what a whole run at p gave."""
        self._measured[p] = share

    def estimate(self, p: Sequence[float] | FloatArray) -> FloatArray:
        """Tell the share of READs at each p: the sample's, moved to what was measured."""
        at = self._rank(p)
        sampled = np.interp(at, self._ranks, self._shares)
        if not self._measured:
            return np.asarray(sampled)
        known = np.array(sorted(self._measured))
        there = self._rank(known)
        errors = [self._measured[q] for q in known] - np.interp(there, self._ranks, self._shares)
        return np.asarray(sampled + np.interp(at, there, errors))

    def p_for(self, share: float) -> float:
        """
        Choose p for a share of READs.

        It lies between two confidences, never on one: rounding must not decide.
        """
        edges = np.concatenate([[0.0], self._seen, [1.0]])
        between = np.array([_short(low, high) for low, high in zip(edges, edges[1:])])
        untried = between[~np.isin(between, list(self._measured))]
        if not len(untried):
            return float(between[0])
        return float(untried[np.abs(self.estimate(untried) - share).argmin()])


def _short(low: float, high: float) -> float:
    """Give the decimal number with the fewest digits that lies well between two."""
    middle, gap = (low + high) / 2, high - low
    if gap <= 0:
        return float(middle)
    digits = max(1, math.ceil(-math.log10(gap / 2)))
    return float(round(middle, digits))


def sample_shares(
    store: FeatureStore, confidences: Sequence[float], done: Done = ignore,
    **changes: Any,
) -> ShareCurve:
    """
    Run a stretch of every clip at many p.

    :param confidences: that the scheduler gives where every frame is read.
    :param changes: other settings of the streams.
    """
    typical = np.log(np.maximum(confidences, LEAST_CONFIDENCE)).mean()
    grid = sorted({0.0, *np.exp(typical * np.array(RUNS)).tolist()})
    rng = np.random.default_rng(0)
    windows = [_window(len(clip), rng) for clip in store.clips]
    settings = [Setting(evaluation_config(Policy.SCHEDULER, p, **changes)) for p in grid]
    streams = [
        Stream(clip, frames, setting)
        for setting in settings for clip, frames in enumerate(windows)
    ]
    steps = roll(store, streams, detects=False, done=done)
    shares, seen = [], list(confidences)
    total = sum(len(clip) for clip in store.clips)
    for start in range(0, len(streams), len(windows)):
        here = steps[start:start + len(windows)]
        share = _later_share(here)
        # Each clip begins with a READ.
        shares.append(share + (1 - share) * len(windows) / total)
        seen += [
            step.confidence for one in here for step in one[1:] if math.isfinite(step.confidence)
        ]
    return ShareCurve([*grid, 1.0], [*shares, 1.0], seen)


def _window(length: int, rng: np.random.Generator) -> range:
    frames = min(length, max(2 * SETTLE, math.ceil(WINDOW * length)))
    start = int(rng.integers(length - frames + 1))
    return range(start, start + frames)


def _later_share(steps: Sequence[Sequence[Step]]) -> float:
    """Share of READs once the streams have settled."""
    later = [s.action for one in steps for s in one[min(SETTLE, len(one) - 1):]]
    return later.count(Action.READ) / len(later)
