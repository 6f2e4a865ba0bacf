"""Features moved along dense motion, each map at its own stride."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
import torch.nn.functional as F

from ...flow import dense_flow, Flow

Pictures = NDArray[np.uint8]


class Grids(NamedTuple):
    """
    Where a picture's content came from, ready for sampling.

    :ivar picture: (B, h, w, 2), of the thumbnail; coordinates as grid_sample() takes them.
    :ivar maps: the same for each map of F, finest first.
    :ivar flow: (B, 2, h, w), right and down, as shares of the picture's longer side.
    """

    picture: Tensor
    maps: tuple[Tensor, ...]
    flow: Tensor


def backward_flow(now: Tensor, before: Tensor) -> Tensor:
    """
    Find where what is seen now was before.

    :param now: prepared grey thumbnails, (B, 1, h, w), uint8; ``before``: likewise.
    :returns: (B, 2, h, w), right and down, pixels of the thumbnail.
    """
    flows = backward_flows(now.cpu().numpy(), before.cpu().numpy())
    return torch.from_numpy(flows).permute(0, 3, 1, 2).to(now.device)


def backward_flows(now: Pictures, before: Pictures) -> Flow:
    """Find the same of arrays: (B, h, w, 2)."""
    return np.stack([dense_flow(one, other) for one, other in zip(now[:, 0], before[:, 0])])


def lay_grids(flow: Tensor, cells: tuple[int, ...]) -> Grids:
    """
    Prepare for moving maps.

    :param flow: of :func:`backward_flow`; motion of a cell is the mean of its pixels.
    :param cells: side of a cell of each map, pixels of the thumbnail; each divides the next.
    """
    height, width = flow.shape[2:]
    coarse, side, maps = flow, 1, []
    for cell in cells:
        coarse, side = F.avg_pool2d(coarse, cell // side), cell
        maps.append(_grid(coarse / cell))
    return Grids(_grid(flow), tuple(maps), flow / max(height, width))


def _grid(flow: Tensor) -> Tensor:
    """Make sampling coordinates of a backward flow in cells of its own, (B, 2, h, w)."""
    height, width = flow.shape[2:]
    rows, columns = (torch.arange(n, device=flow.device) + 0.5 for n in (height, width))
    x = (columns + flow[:, 0]) * (2 / width) - 1
    y = (rows[:, None] + flow[:, 1]) * (2 / height) - 1
    return torch.stack([x, y], dim=-1)


def move(values: Tensor, grid: Tensor, mode: str = 'bilinear') -> Tensor:
    """
    Fetch values from where they came; what comes in from outside repeats the border.

    :param values: (B, C, h, w); ``grid``: (B, h, w, 2).
    """
    return F.grid_sample(
        values, grid.to(values.dtype), mode=mode, padding_mode='border', align_corners=False
    )
