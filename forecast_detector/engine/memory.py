"""What streams remember between frames, and how batches of streams are taken apart and joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..trees import cat, count, first_tensor, leaves, tree_map

# Features of a frame: one map (B, C, h, w), or a tuple of maps at several strides.
Maps = Any
T = TypeVar('T')

__all__ = [
    'cat', 'count', 'detach', 'first_tensor', 'leaves', 'Maps', 'Memory', 'rows', 'seen_maps',
    'split', 'tree_map', 'where',
]


class Memory(NamedTuple):
    """
    What a batch of streams remembers of its last frame, one row a stream.

    :ivar features: F of that frame, read or forecast.
    :ivar forecast: Fc, the forecast of the next frame's features.
    :ivar converted: Ft, temporally aware features of that frame.
    :ivar state: the encoders' recurrent state.
    :ivar preview: features of that frame's thumbnail; None where the network does not peek.
    :ivar previous: those of the frame before it; on a first frame its own.
    """

    features: Maps
    forecast: Maps
    converted: Maps
    state: Any
    preview: Maps = None
    previous: Maps = None


def seen_maps(features: Maps) -> Maps:
    """Leave out of F what says how old it is: only the rest can be compared with a reading."""
    return getattr(features, 'maps', features)


def rows(tree: T, index: Sequence[int]) -> T:
    """Keep some rows, in the order given."""
    if list(index) == list(range(count(tree))):
        return tree
    at = torch.tensor(list(index))
    return tree_map(lambda tensor: tensor[at.to(tensor.device)], tree)


def split(tree: T) -> list[T]:
    """Take rows apart, each a batch of one; views of the whole."""
    # Copies would cost about two hundredths of a step on a CPU (coco, 8 streams), for nothing as
    # long as streams are stepped together: the batch is what they remember. A stream that pauses
    # keeps its whole last batch. At worst N streams stop one after the other and keep N / 2 times
    # as much as they need: 8 of coco 70 MB instead of 16, but 100 of them 10 GB. Whoever has that
    # many forgets those that have ended (StreamingDetector.forget).
    if count(tree) == 1:
        return [tree]
    return [
        tree_map(lambda tensor, row=row: tensor[row:row + 1], tree)  # type: ignore[misc]
        for row in range(count(tree))
    ]


def where(mask: Tensor | Sequence[bool], yes: T, no: T) -> T:
    """Take each row of the one or of the other, as the mask (B,) says."""
    if yes is None and no is None:
        return yes
    mask = torch.as_tensor(mask, dtype=torch.bool)
    return tree_map(
        lambda a, b: torch.where(mask.to(a.device).view(-1, *[1] * (a.dim() - 1)), a, b), yes, no
    )


def detach(tree: T) -> T:
    """Cut tensors off from the steps that made them."""
    return tree_map(Tensor.detach, tree)
