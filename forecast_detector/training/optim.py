"""Optimiser, schedule and moving average: small pieces over torch's own."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """Keep an exponential moving average of weights and buffers."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def adamw(
    groups: Iterable[tuple[Iterable[nn.Module], float]], weight_decay: float
) -> torch.optim.AdamW:
    """Make an optimiser of (modules, learning rate) groups; norms and biases do not decay."""
    parameters = []
    for modules, lr in groups:
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for module in modules:
            for parameter in module.parameters():
                if parameter.requires_grad:
                    (decayed if parameter.ndim > 1 else plain).append(parameter)
        parameters.append({'params': decayed, 'lr': lr, 'weight_decay': weight_decay})
        parameters.append({'params': plain, 'lr': lr, 'weight_decay': 0.0})
    return torch.optim.AdamW(parameters)


def one_cycle(
    optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Warm up over a twentieth of the steps, then fall to zero along a cosine."""
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group['lr'] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=0.05,
        cycle_momentum=False,
    )
