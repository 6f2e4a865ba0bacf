"""Optimiser, schedule and moving average: small pieces over torch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
import math

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


def delayed_cycles(
    optimizer: torch.optim.Optimizer, starts: list[float], steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """
    Give every parameter group a cycle of its own: zero, a short warm-up, a cosine to zero.

    :param starts: share of the steps before each group's cycle.
    """
    def cycle(start: float) -> Callable[[int], float]:
        def factor(step: int) -> float:
            progress = (step / steps - start) / (1 - start)
            if progress < 0:
                return 0.0
            warm_up = min(1.0, 0.04 + progress / 0.05)
            return warm_up * (1 + math.cos(math.pi * min(1.0, progress))) / 2

        return factor

    return torch.optim.lr_scheduler.LambdaLR(optimizer, [cycle(start) for start in starts])


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
