"""How far forecasts are from the features that reading gives, measured by copying (Eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..engine.memory import Maps, Memory, rows, seen_maps, tree_map
from ..engine.recurrence import advance
from ..evaluation.fork import expect, going
from ..evaluation.rollout import groups
from ..evaluation.run import Done, ignore
from ..evaluation.store import FeatureStore
from ..records.diagnosis import ForecastRatio
from ..scoring.bootstrap import clip_weights

RESAMPLES = 2000


@torch.inference_mode()
def forecast_ratios(
    store: FeatureStore, ahead: int, done: Done = ignore
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
    for group in groups(store, list(enumerate(lengths))):
        memory: Memory | None = None
        for index in range(lengths[group[0]] - 1):
            active = [at for at in group if index < lengths[at] - 1]
            frames = [store.first[at] + index for at in active]
            memory = going(memory, len(active))
            memory = advance(
                store.detector.network, store.features(frames),
                None if memory is None else memory.state, store.previews(frames),
            )
            _forecast_on(store, memory, active, index, sums, counts)
            done(len(active))
    return [_ratio(k + 1, int(counts[k]), sums[:, k]) for k in range(ahead)]


def _forecast_on(
    store: FeatureStore, memory: Memory, active: Sequence[int], index: int,
    sums: NDArray[np.float64], counts: NDArray[np.int64],
) -> None:
    """Go on from the forecasts, and add up the errors of each clip."""
    read = memory.features
    for k in range(sums.shape[1]):
        left = [row for row, at in enumerate(active) if index + k + 1 < len(store.clips[at])]
        if not left:
            return
        active = [active[row] for row in left]
        memory, read = rows(memory, left), rows(read, left)
        frames = [store.first[at] + index + k + 1 for at in active]
        expected = expect(store, memory, frames)
        forecast = store.detector.forecaster.settle(expected.features)
        true = store.features(frames)
        for column, guess in enumerate((forecast, read)):
            np.add.at(sums[:, k, column], active, distance(true, guess))
        counts[k] += len(left)
        if k + 1 < sums.shape[1]:
            memory = advance(
                store.detector.network, forecast, memory.state, store.previews(frames)
            )


def distance(a: Maps, b: Maps) -> NDArray[np.float64]:
    """Euclidean distance of features, row by row, (B,); over all maps together."""
    squares: list[Tensor] = []

    def add(x: Tensor, y: Tensor) -> Tensor:
        squares.append((x - y).flatten(1).norm(dim=1) ** 2)
        return x

    tree_map(add, seen_maps(a), seen_maps(b))
    total: NDArray[np.float64] = torch.stack(squares).sum(dim=0).sqrt().cpu().numpy()
    return total


def _ratio(ahead: int, frames: int, sums: NDArray[np.float64]) -> ForecastRatio:
    """:param sums: (clips, 2), errors of forecasts and of copies."""
    whole = sums.sum(axis=0)
    if not whole[1]:
        return ForecastRatio(ahead, frames, None, None, None)
    ratio = float(whole[0] / whole[1])
    if (sums[:, 1] > 0).sum() < 2:
        return ForecastRatio(ahead, frames, ratio, None, None)
    drawn = clip_weights(len(sums), RESAMPLES) @ sums
    moved = drawn[:, 1] > 0
    low, high = np.quantile(drawn[moved, 0] / drawn[moved, 1], (0.025, 0.975))
    return ForecastRatio(ahead, frames, ratio, float(low), float(high))
