"""How far forecasts are from the features that reading gives, measured by copying (Eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..evaluation.bootstrap import clip_weights
from ..evaluation.lockstep import advance, expect, Past
from ..evaluation.rollout import groups
from ..evaluation.store import FeatureStore, no_progress, Progress

RESAMPLES = 2000


@dataclass(frozen=True)
class ForecastRatio:
    """
    Error of forecasts over that of copies, both summed over frames, with a bootstrap over clips.

    :ivar ahead: forecasts in a row; 1 follows a READ.
    :ivar ratio: sum of ||F(t+k) - Fc|| over sum of ||F(t+k) - F(t)||; None where nothing moved.
    """

    ahead: int
    frames: int
    ratio: float | None
    low: float | None
    high: float | None


@torch.inference_mode()
def forecast_ratios(
    store: FeatureStore, ahead: int, done: Progress = no_progress
) -> list[ForecastRatio]:
    """
    Forecast up to so many frames in a row after every frame, read all before.

    Where the network peeks, Fc is the forecast as the thumbnails corrected it.

    :raises ValueError: for ``ahead`` below 1.
    """
    if ahead < 1:
        raise ValueError(f'ahead: {ahead} is below 1; 1 is the frame after a READ')
    sums = np.zeros((len(store.clips), ahead, 2))
    counts = np.zeros(ahead, np.int64)
    lengths = [len(clip) for clip in store.clips]
    for group in groups(store, lengths):
        past: Past | None = None
        for index in range(lengths[group[0]] - 1):
            active = [at for at in group if index < lengths[at] - 1]
            frames = [store.first[at] + index for at in active]
            past = past.rows(range(len(active))) if past is not None else None
            read = store.features(frames)
            past = advance(store.detector.network, read, past, judge=False)
            _look_ahead(store, past, read, active, index, sums, counts)
            done(len(active))
    return [_ratio(k + 1, int(counts[k]), sums[:, k]) for k in range(ahead)]


def _look_ahead(
    store: FeatureStore, past: Past, read: Tensor, active: Sequence[int], index: int,
    sums: NDArray[np.float64], counts: NDArray[np.int64],
) -> None:
    """Go on from the forecasts, and add up the errors of each clip."""
    for k in range(sums.shape[1]):
        rows = [row for row, at in enumerate(active) if index + k + 1 < len(store.clips[at])]
        if not rows:
            return
        active = [active[row] for row in rows]
        past, read = past.rows(rows), read[rows]
        frames = [store.first[at] + index + k + 1 for at in active]
        forecast, _ = expect(store, past, frames, [frame - 1 for frame in frames])
        true = store.features(frames)
        for column, guess in enumerate((forecast, read)):
            distance = (true - guess).flatten(1).norm(dim=1).cpu().numpy()
            np.add.at(sums[:, k, column], active, distance)
        counts[k] += len(rows)
        if k + 1 < sums.shape[1]:
            past = advance(store.detector.network, forecast, past, judge=False)


def _ratio(ahead: int, frames: int, sums: NDArray[np.float64]) -> ForecastRatio:
    """:param sums: (clips, 2), errors of forecasts and of copies."""
    whole = sums.sum(axis=0)
    if not whole[1]:
        return ForecastRatio(ahead, frames, None, None, None)
    drawn = clip_weights(len(sums), RESAMPLES) @ sums
    moved = drawn[:, 1] > 0
    low, high = np.quantile(drawn[moved, 0] / drawn[moved, 1], (0.025, 0.975))
    return ForecastRatio(ahead, frames, float(whole[0] / whole[1]), float(low), float(high))
