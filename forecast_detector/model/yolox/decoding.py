"""From YOLOX's raw outputs to boxes and scores; no suppression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .backbone import STRIDES
from .head import Raw


@dataclass(frozen=True)
class GridDecoding:
    """
    One box a cell, without anchors.

    :ivar cells: (A, 2), the corner of each cell, in cells, x and y; all strides, finest first.
    :ivar strides: (A, 1), its side in input pixels.
    """

    cells: Tensor
    strides: Tensor

    @classmethod
    def lay(cls, input_size: tuple[int, int], device: torch.device) -> GridDecoding:
        """
        Lay the cells for an input size.

        :param input_size: (height, width) in pixels.
        """
        cells, strides = [], []
        for stride in STRIDES:
            rows, columns = (torch.arange(side // stride, device=device) for side in input_size)
            y, x = torch.meshgrid(rows, columns, indexing='ij')
            cells.append(torch.stack([x.flatten(), y.flatten()], dim=1).float())
            strides.append(torch.full((len(cells[-1]), 1), float(stride), device=device))
        return cls(torch.cat(cells), torch.cat(strides))

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
        strides = self.strides[candidate]
        centre = (chosen[:, :2] + self.cells[candidate]) * strides
        half = chosen[:, 2:].clamp(max=10).exp() * strides / 2
        return torch.cat([centre - half, centre + half], dim=1)
