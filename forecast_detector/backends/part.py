"""A part of a network that is compiled by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from torch import nn, Tensor


class Part(NamedTuple):
    """
    A function of tensors, one row a stream, channels last.

    :ivar module: the function; it gives a tuple of tensors.
    :ivar example: its arguments, of two rows.
    """

    module: nn.Module
    example: Sequence[Tensor]


def last(x: Tensor) -> Tensor:
    """Put channels last: (B, C, H, W) to (B, H, W, C)."""
    return x.permute(0, 2, 3, 1)


def first(x: Tensor) -> Tensor:
    """Put channels first: (B, H, W, C) to (B, C, H, W)."""
    return x.permute(0, 3, 1, 2)


def batches(rows: int, prepared: Collection[int]) -> Iterator[slice]:
    """
    Take rows together as far as that was prepared.

    :param prepared: numbers of rows; 1 among them.
    """
    start = 0
    while start < rows:
        size = max(size for size in prepared if size <= rows - start)
        yield slice(start, start + size)
        start += size
