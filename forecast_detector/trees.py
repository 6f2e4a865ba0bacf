"""Trees: tensors that lie in (named) tuples, one row a stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar('T')


def tree_map(change: Callable[..., Tensor], *trees: T) -> T:
    """
    Change tensors that lie in (named) tuples of one shape, side by side.

    :raises ValueError: if one has a part that another lacks. Nothing is left out in silence.
    """
    first: Any = trees[0]
    if any(type(tree) is not type(first) for tree in trees):
        kinds = sorted({type(tree).__name__ for tree in trees})
        raise ValueError(f'streams differ in what they remember: {", ".join(kinds)}')
    if first is None:
        return trees[0]
    if isinstance(first, Tensor):
        return change(*trees)  # type: ignore[return-value]
    parts = [tree_map(change, *part) for part in zip(*trees, strict=True)]  # type: ignore[call-overload]
    return type(first)(*parts) if hasattr(first, '_fields') else type(first)(parts)


def leaves(tree: Any) -> list[Tensor]:
    """Give the tensors of a tree, in their order."""
    if isinstance(tree, Tensor):
        return [tree]
    return [tensor for part in tree or () for tensor in leaves(part)]


def first_tensor(tree: Any) -> Tensor:
    """Return a tensor of a tree: all have the same rows."""
    while not isinstance(tree, Tensor):
        tree = tree[0]
    return tree


def count(tree: Any) -> int:
    """Count the rows, which are streams."""
    return len(first_tensor(tree))


def cat(trees: Sequence[T]) -> T:
    """Join batches, row after row."""
    return trees[0] if len(trees) == 1 else tree_map(lambda *parts: torch.cat(parts), *trees)
