"""A phase that trains one part of a network; all else stays."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ...model.yolox.network import YoloxNetwork
from ..optim import adamw, one_cycle
from ..phase import Phase
from .recipe import DistillConfig, ForecastRecipe, JudgeRecipe


def phase_of(
    network: YoloxNetwork, part: nn.Module, recipe: ForecastRecipe | JudgeRecipe,
    config: DistillConfig, state: Path,
) -> Phase:
    """
    Prepare for training a part of a network; norms keep their statistics.

    :param recipe: of the phase, ``config`` the whole one.
    :param state: file to resume from.
    """
    network.eval().requires_grad_(False)
    part.requires_grad_(True)
    optimizer = adamw([([part], recipe.lr)], recipe.weight_decay)
    schedule = one_cycle(optimizer, max(1, recipe.steps))
    return Phase(network, optimizer, schedule, recipe.ema, config, state)
