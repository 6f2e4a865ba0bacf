"""Features moved along dense motion, each map at its own stride."""

from __future__ import annotations

import torch
from torch import Tensor
import torch.nn.functional as F


def lay_grids(flow: Tensor, cells: tuple[int, ...]) -> tuple[Tensor, ...]:
    """
    Prepare for moving maps.

    :param flow: where content came from, (B, 2, h, w), right and down, pixels of the picture;
        motion of a cell is the mean of its pixels.
    :param cells: side of a cell of each map, pixels of the picture; each divides the next.
    :returns: of each map, finest first, (B, h, w, 2), coordinates as grid_sample() takes them.
    """
    side, grids = 1, []
    for cell in cells:
        flow, side = F.avg_pool2d(flow, cell // side), cell
        grids.append(lay_grid(flow / cell))
    return tuple(grids)


def lay_grid(flow: Tensor) -> Tensor:
    """Make sampling coordinates of a backward flow in cells of its own, (B, 2, h, w) each."""
    height, width = flow.shape[2:]
    rows, columns = (torch.arange(n, device=flow.device) + 0.5 for n in (height, width))
    x = (columns + flow[:, 0]) * (2 / width) - 1
    y = (rows[:, None] + flow[:, 1]) * (2 / height) - 1
    return torch.stack([x, y], dim=-1)


def move(values: Tensor, grid: Tensor) -> Tensor:
    """
    Fetch values from where they came; what comes in from outside repeats the border.

    :param values: (B, C, h, w); ``grid``: (B, h, w, 2).
    """
    return F.grid_sample(
        values, grid.to(values.dtype), mode='bilinear', padding_mode='border',
        align_corners=False,
    )
