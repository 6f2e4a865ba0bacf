"""Phase ``forecast``: the correction learns to make moved maps what reading would give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...engine.memory import detach, Maps
from ...engine.recurrence import advance, LearnedForecast
from ...model.yolox.decoding import GridDecoding
from ...model.yolox.network import YoloxNetwork
from ..logs import Log
from .losses import distillation_losses, map_loss
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
    phase = phase_of(network, network.correction, recipe, config, state)
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
    forecaster = LearnedForecast(network)
    preview = readings.previews(runs[0])
    memory = advance(network, readings.features(runs[0]), preview=preview)
    found: list[dict[str, Tensor]] = []
    for frames in runs[1:]:
        preview, before = readings.previews(frames), memory.preview
        features: Maps = forecaster.settle(forecaster.expect(memory, preview).features)
        with torch.no_grad():
            wanted = readings.features(frames)
            teacher = network.detect(wanted)
        found.append({
            'feature': map_loss(features.maps, wanted.maps, teacher),
            **distillation_losses(decoding, network.detect(features), teacher),
        })
        memory = advance(network, detach(features), None, preview, before)
    return {name: torch.stack([one[name] for one in found]).mean() for name in found[0]}
