"""Phase ``end_to_end``: the reader learns F that can be forecast, and reads as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn, Tensor

from ...engine.memory import Maps
from ...model.yolox.decoding import GridDecoding
from ...model.yolox.network import YoloxNetwork
from ..logs import Log
from .forecast import follow
from .inputs import Inputs
from .losses import lesson, means
from .part import phase_of
from .readings import Readings
from .recipe import DistillConfig, EndToEndRecipe

READ = 'read_'
# The stem sees values of up to that: a step that suits other layers would upset it.
WHITE = 255


def train_end_to_end(
    network: YoloxNetwork, readings: Readings, config: DistillConfig, state: Path, log: Log
) -> None:
    """
    Train reader and correction together; the scheduler stays.

    :param readings: of the reader as it was, which is the teacher.
    :param state: file to resume from.
    """
    recipe = config.end_to_end
    if not recipe.steps:
        return
    phase = phase_of(network, trained_parts(network, recipe), recipe, config, state)
    decoding = network.decoding(config.model.input_size)
    if phase.first < recipe.steps:
        inputs = Inputs(readings.store)
    for step in phase.steps('end_to_end', recipe.steps, recipe.batch_size):
        rng = np.random.default_rng([config.seed, step, 2])
        length = int(rng.integers(1, recipe.frames + 1))
        runs = readings.draw(rng, recipe.batch_size, length, recipe.thinning)
        losses = end_to_end_losses(network, decoding, readings, inputs, runs)
        phase.update(step, weighted(losses, recipe), [readings.name(frame) for frame in runs[0]])
        phase.report(step, log, losses)
    phase.finish(recipe.steps)


def trained_parts(
    network: YoloxNetwork, recipe: EndToEndRecipe
) -> list[tuple[list[nn.Module], float]]:
    """Give what learns, with its peak learning rate: correction; backbone, neck and head."""
    correction: list[nn.Module] = [network.correction] if network.correction is not None else []
    stages = list(network.backbone.backbone.children())
    neck = [part for name, part in network.backbone.named_children() if name != 'backbone']
    reader = [*stages[max(1, recipe.frozen_stages):], *neck, network.head]
    stem = stages[:1] if recipe.frozen_stages == 0 else []
    return [
        (correction, recipe.lr), (reader, recipe.reader_lr), (stem, recipe.reader_lr / WHITE),
    ]


def end_to_end_losses(
    network: YoloxNetwork, decoding: GridDecoding, readings: Readings, inputs: Inputs,
    runs: np.ndarray,
) -> dict[str, Tensor]:
    """
    Read frames and forecast those that follow; compare all with what the teacher read.

    Gradients flow back through all forecasts of a run to its READ, and none to the teacher: else
    the reader would learn F that is easy to forecast and says little.

    :param runs: numbers of frames, (length + 1, B).
    :returns: mean losses of forecasts over the run; those of the READ are named ``read_...``.
    """
    def judged(features: Maps, frames: Any) -> dict[str, Tensor]:
        wanted = readings.features(frames)
        return lesson(decoding, features, network.detect(features), wanted,
                      readings.outputs(wanted))

    read = network.read(inputs.images(runs[0]))
    forecasts = follow(network, readings, read, runs, lambda features: features)
    found = [judged(features, frames) for features, frames in zip(forecasts, runs[1:])]
    return {
        **means(found),
        **{READ + name: loss for name, loss in judged(read, runs[0]).items()},
    }


def weighted(losses: dict[str, Tensor], recipe: EndToEndRecipe) -> Tensor:
    """Add losses up by the weights of a recipe."""
    return torch.stack([
        getattr(recipe, name.removeprefix(READ)) * loss
        * (recipe.read if name.startswith(READ) else 1.0)
        for name, loss in losses.items()
    ]).sum()
