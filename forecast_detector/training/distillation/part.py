"""A phase that trains some parts of a network; all else stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ...model.yolox.network import YoloxNetwork
from ..optim import adamw, one_cycle
from ..phase import fingerprint, load_state, Phase, save_state
from .recipe import DistillConfig, ForecastRecipe, JudgeRecipe


def phase_of(
    network: YoloxNetwork, parts: Sequence[tuple[Sequence[nn.Module], float]],
    recipe: ForecastRecipe | JudgeRecipe, config: DistillConfig, state: Path,
) -> Phase:
    """
    Prepare for training parts of a network; norms keep their statistics.

    :param parts: modules, each group with its peak learning rate.
    :param recipe: of the phase, ``config`` the whole one.
    :param state: file to resume from.
    """
    network.eval().requires_grad_(False)
    for modules, _ in parts:
        for module in modules:
            module.requires_grad_(True)
    optimizer = adamw(parts, recipe.weight_decay)
    schedule = one_cycle(optimizer, max(1, recipe.steps))
    return Phase(network, optimizer, schedule, recipe.ema, config, state)


def lengthen(state: Path, recipe: ForecastRecipe | JudgeRecipe, config: DistillConfig) -> None:
    """
    Let a phase that was trained by fewer steps go on to those of another recipe.

    Its learning rates go on as if it had been meant to be that long: at the end of the shorter run
    they were zero.

    :param state: file to resume from, ``recipe``: of the phase, ``config``: the whole one.
    """
    kept = load_state(state)
    groups = kept['optimizer']['param_groups']
    optimizer = torch.optim.AdamW(
        [{'params': [nn.Parameter(torch.zeros(1))], 'lr': recipe.lr} for _ in groups])
    schedule = one_cycle(optimizer, max(1, recipe.steps))
    for _ in range(int(kept['step'])):
        optimizer.step()
        schedule.step()
    for group, own in zip(groups, optimizer.param_groups):
        group.update({key: own[key] for key in own.keys() - group.keys() | {'lr'}})
    save_state(state, {
        **kept, 'recipe': fingerprint(config), 'lr_schedule': schedule.state_dict()})
