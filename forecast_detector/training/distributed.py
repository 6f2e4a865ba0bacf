"""Several processes that train one network: torchrun's group, shares of a batch, averages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
import os
from typing import Any, TypeVar

import torch
from torch import nn, Tensor
import torch.distributed as dist

T = TypeVar('T')


def world() -> int:
    """Count the processes; 1 without a group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return this process's number, from 0."""
    return dist.get_rank() if world() > 1 else 0


@contextmanager
def process_group(device: str) -> Iterator[str]:
    """
    Join the processes that ``torchrun`` started; a process of its own joins nothing.

    :param device: as the user named it; ``auto`` and ``cuda`` become this process's own GPU.
    :returns: (as a context) the name of this process's device.
    """
    if int(os.environ.get('WORLD_SIZE', '1')) < 2:
        yield device
        return
    if device in ('auto', 'cuda') and torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group('nccl' if device.startswith('cuda') else 'gloo')
    try:
        yield device
    finally:
        dist.destroy_process_group()


def share_of(batch_size: int) -> int:
    """
    Count a process's samples of a batch.

    :raises ValueError: if the processes cannot share the batch evenly.
    """
    if batch_size % world():
        raise ValueError(
            f'batch_size {batch_size} cannot be shared by {world()} processes; choose a multiple'
        )
    return batch_size // world()


def own(samples: Sequence[T]) -> Sequence[T]:
    """Take this process's samples of a whole batch: every ``world()``-th."""
    share_of(len(samples))
    return samples[rank()::world()]


def own_part(batch: Tensor, dim: int = 0) -> Tensor:
    """Take this process's samples of a tensor that holds the whole batch."""
    share_of(batch.shape[dim])
    if world() == 1:
        return batch
    return batch.index_select(
        dim, torch.arange(rank(), batch.shape[dim], world(), device=batch.device)
    )


def mean(value: Tensor) -> Tensor:
    """Average a value, without gradient, over the processes."""
    if world() == 1:
        return value
    total = value.detach().to(torch.float32).clone()
    dist.all_reduce(total)
    return total / world()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average the gradients over the processes, all in one message."""
    if world() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= world()
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients])):
        gradient.copy_(part.view_as(gradient))


def from_first(value: T) -> T:
    """Give every process what the first one holds."""
    if world() == 1:
        return value
    box: list[Any] = [value]
    dist.broadcast_object_list(box)
    result: T = box[0]
    return result


class SharedBatchNorm2d(nn.BatchNorm2d):
    """
    Batch norm whose statistics are those of the whole batch, not of one process's share.

    Torch has one for GPUs only (SyncBatchNorm), and folding norms into convolutions would not
    know it. Shares are of equal size.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        if not self.training or world() == 1:
            return super().forward(x)
        from torch.distributed.nn.functional import all_reduce

        x32 = x.float()
        moments = torch.stack([x32.mean((0, 2, 3)), x32.square().mean((0, 2, 3))])
        average, square = all_reduce(moments) / world()
        variance = (square - average.square()).clamp(min=0)
        with torch.no_grad():
            count = x.numel() / x.shape[1] * world()
            assert self.running_mean is not None and self.running_var is not None
            assert self.momentum is not None and self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(average, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - average * scale
        return (x32 * scale[:, None, None] + shift[:, None, None]).to(x.dtype)


def share_norms(network: nn.Module) -> None:
    """Let the batch norms of a network see the batches of all processes."""
    if world() > 1:
        for module in network.modules():
            if type(module) is nn.BatchNorm2d:
                # Same parameters, same buffers, another forward.
                module.__class__ = SharedBatchNorm2d
