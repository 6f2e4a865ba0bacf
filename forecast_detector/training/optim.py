"""Optimiser, schedule and moving average: small pieces over torch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
import math
from typing import Any

import torch
from torch import nn, Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Tensors = tuple[Tensor, ...] | list[Tensor]
Groups = Iterable[tuple[Iterable[nn.Module], float]]


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """
    Keep an exponential moving average of weights and buffers.

    The decay grows to what is asked for: else, after few steps, much of the average would be the
    weights that training began with.
    """
    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        steps = int(count)
        grown = get_ema_multi_avg_fn(min(decay, (1 + steps) / (10 + steps)))
        grown(averaged, current, count)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)


def parameter_groups(groups: Groups, weight_decay: float) -> list[dict[str, Any]]:
    """Make two groups of each (modules, learning rate): norms and biases do not decay."""
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
    return parameters


def adamw(groups: Groups, weight_decay: float) -> torch.optim.AdamW:
    """Make an optimiser of (modules, learning rate) groups; norms and biases do not decay."""
    return torch.optim.AdamW(parameter_groups(groups, weight_decay))


def sgd(groups: Groups, momentum: float, weight_decay: float) -> torch.optim.SGD:
    """Likewise, with momentum."""
    return torch.optim.SGD(parameter_groups(groups, weight_decay), lr=0.0, momentum=momentum)


def delayed_cycles(
    optimizer: torch.optim.Optimizer, starts: list[float], steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """
    Give every parameter group a cycle of its own: zero, a short warm-up, a cosine to zero.

    :param starts: share of the steps before each group's cycle; from 1 on it never moves.
    """
    def cycle(start: float) -> Callable[[int], float]:
        def factor(step: int) -> float:
            if start >= 1 or step / steps < start:
                return 0.0
            progress = (step / steps - start) / (1 - start)
            warm_up = min(1.0, 0.04 + progress / 0.05)
            return warm_up * (1 + math.cos(math.pi * min(1.0, progress))) / 2

        return factor

    return torch.optim.lr_scheduler.LambdaLR(optimizer, [cycle(start) for start in starts])


def one_cycle(
    optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Warm up over a twentieth of the steps, then fall to zero along a cosine."""
    if steps == 1:
        return torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group['lr'] for group in optimizer.param_groups],
        total_steps=steps,
        # Just one step of warming up, at 20, would make torch divide by zero.
        pct_start=min(1.0, max(0.05, 1.5 / steps)),
        cycle_momentum=False,
    )


def epoch_decays(
    optimizer: torch.optim.Optimizer,
    parts: Sequence[tuple[int, Sequence[int]]],
    factor: float,
    steps_per_epoch: int,
) -> torch.optim.lr_scheduler.LRScheduler:
    """
    Let the learning rates of parts fall by a factor from given epochs on (section 4.2).

    :param parts: of each (modules, learning rate) of the optimiser: the epoch, from 1, in which
        it starts, and those from which on it is slower.
    """
    def decay(start: int, epochs: Sequence[int]) -> Callable[[int], float]:
        def at(step: int) -> float:
            epoch = step // steps_per_epoch + 1
            return 0.0 if epoch < start else float(factor ** sum(epoch >= e for e in epochs))

        return at

    # Two parameter groups a part: with weight decay, and without.
    curves = [decay(start, epochs) for start, epochs in parts for _ in range(2)]
    return torch.optim.lr_scheduler.LambdaLR(optimizer, curves)
