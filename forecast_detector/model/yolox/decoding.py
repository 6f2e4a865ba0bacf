"""From YOLOX's raw outputs to boxes and scores; no suppression."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from .backbone import STRIDES
from .head import Raw

Sizes = tuple[tuple[int, ...], ...]


def lay_cells(sizes: Sizes, device: torch.device) -> tuple[Tensor, Tensor]:
    """
    Lay out the cells of maps, finest first.

    :param sizes: (rows, columns) of each.
    :returns: the corner of each cell, in cells, x and y, (A, 2); its side in input pixels, (A, 1).
    """
    cells, strides = [], []
    for stride, size in zip(STRIDES, sizes):
        rows, columns = (torch.arange(count, device=device) for count in size)
        y, x = torch.meshgrid(rows, columns, indexing='ij')
        cells.append(torch.stack([x.flatten(), y.flatten()], dim=1).float())
        strides.append(torch.full((len(cells[-1]), 1), float(stride), device=device))
    return torch.cat(cells), torch.cat(strides)


kept_cells = lru_cache(maxsize=64)(lay_cells)


class GridDecoding:
    """One box a cell, without anchors, for inputs of any size."""

    def __init__(
        self, lay: Callable[[Sizes, torch.device], tuple[Tensor, Tensor]] = kept_cells
    ) -> None:
        """
        Prepare.

        :param lay: :func:`lay_cells`, or what remembers some of what that gave.
        """
        self._lay = lay

    def scores(self, raw: tuple[Raw, ...]) -> Tensor:
        """Return the score of the best class of every cell, (B, A, classes), 0 for the others."""
        scores, labels = [], []
        for one in raw:
            # Map by map: putting all classes side by side first would cost more than the rest.
            best, label = one.classes.float().max(dim=1)
            scores.append((best.sigmoid() * one.objects[:, 0].float().sigmoid()).flatten(1))
            labels.append(label.flatten(1))
        score, label = torch.cat(scores, dim=1)[..., None], torch.cat(labels, dim=1)[..., None]
        empty = score.new_zeros(*score.shape[:2], raw[0].classes.shape[1])
        return empty.scatter_(2, label, score)

    def boxes(self, raw: tuple[Raw, ...], image: Tensor, candidate: Tensor) -> Tensor:
        """
        Return the boxes of chosen cells, (n, 4), xyxy in input pixels.

        :param image: row of the batch of each, (n,); ``candidate``: number of its cell, (n,).
        """
        regression = torch.cat([one.boxes.float().flatten(2) for one in raw], dim=2)
        chosen = regression[image, :, candidate]
        cells, strides = self._lay(tuple(tuple(one.boxes.shape[2:]) for one in raw), chosen.device)
        strides = strides[candidate]
        centre = (chosen[:, :2] + cells[candidate]) * strides
        half = chosen[:, 2:].clamp(max=10).exp() * strides / 2
        return torch.cat([centre - half, centre + half], dim=1)
