"""Phase ``forecast``: the correction learns to make moved maps what reading would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...engine.memory import detach, Maps
from ...engine.recurrence import advance, LearnedForecast
from ...model.yolox.decoding import GridDecoding
from ...model.yolox.network import YoloxNetwork
from ..logs import Log
from .losses import lesson, means
from .part import phase_of
from .readings import Readings
from .recipe import DistillConfig, ForecastRecipe


def train_forecast(
    network: YoloxNetwork, readings: Readings, config: DistillConfig, state: Path, log: Log
) -> None:
    """
    Train the correction alone; all else stays.

    :param state: file to resume from.
    :raises ValueError: for a network without a correction.
    """
    if network.correction is None:
        raise ValueError('model.correction: phase forecast trains it, and it is 0; set channels')
    recipe = config.forecast
    phase = phase_of(network, [([network.correction], recipe.lr)], recipe, config, state)
    decoding = network.decoding(config.model.input_size)
    for step in phase.steps('forecast', recipe.steps, recipe.batch_size):
        rng = np.random.default_rng([config.seed, step])
        length = int(rng.integers(1, recipe.frames + 1))
        runs = readings.draw(rng, recipe.batch_size, length, recipe.thinning)
        losses = rollout_losses(network, decoding, readings, runs, recipe)
        total = torch.stack([getattr(recipe, k) * v for k, v in losses.items()]).sum()
        phase.update(step, total, [readings.name(frame) for frame in runs[0]])
        phase.report(step, log, losses)
    phase.finish(recipe.steps)


def rollout_losses(
    network: YoloxNetwork, decoding: GridDecoding, readings: Readings, runs: np.ndarray,
    recipe: ForecastRecipe,
) -> dict[str, Tensor]:
    """
    Forecast frame after frame from a reading, and compare each with its own reading.

    Every frame is a lesson of its own: it starts from what the frame before became, whatever
    that is, and no gradient flows back to it.

    :param runs: numbers of frames, (length + 1, B).
    :returns: mean losses over the run.
    """
    found: list[dict[str, Tensor]] = []
    forecasts = follow(network, readings, readings.features(runs[0]), runs, detach)
    for frames, features in zip(runs[1:], forecasts):
        with torch.no_grad():
            wanted = readings.features(frames)
            teacher = network.detect(wanted)
        found.append(lesson(decoding, features, network.detect(features), wanted, teacher))
    return means(found)


def follow(
    network: YoloxNetwork, readings: Readings, features: Maps, runs: np.ndarray,
    handed_on: Callable[[Maps], Maps],
) -> Iterator[Maps]:
    """
    Forecast frame after frame, as streams do.

    :param features: F of the first frames, read.
    :param runs: numbers of frames, (length + 1, B).
    :param handed_on: what the next forecast starts from, made of one.
    :returns: F of each frame after the first.
    """
    forecaster = LearnedForecast(network)
    memory = advance(network, features, preview=readings.previews(runs[0]))
    for frames in runs[1:]:
        preview, before = readings.previews(frames), memory.preview
        features = forecaster.settle(forecaster.expect(memory, preview).features)
        yield features
        memory = advance(network, handed_on(features), None, preview, before)
