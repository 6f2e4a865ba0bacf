"""Maps and pictures moved along dense motion, without a framework: exact, and in few calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
import torch
from torch import Tensor

from ..model.yolox.motion import move

Floats = NDArray[np.float32]


def coarser(flow: Floats, cells: Sequence[int]) -> list[Floats]:
    """
    Average motion over cells of several sizes, each in cells of its own.

    :param flow: (B, h, w, 2), in its own pixels.
    :param cells: their sides, pixels; each divides the next.
    """
    motions, side = [], 1
    for cell in cells:
        flow, side = _averaged(flow, cell // side), cell
        motions.append(flow / np.float32(cell))
    return motions


def _averaged(values: Floats, cell: int) -> Floats:
    size = (values.shape[2] // cell, values.shape[1] // cell)
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in values])


def sampler(flow: Floats) -> csr_matrix:
    """
    Prepare for fetching cells from where they came, bilinearly; the border is repeated.

    :param flow: backward, (B, h, w, 2), in cells.
    :returns: what cells of maps, (B h w, C), are multiplied by from the left.
    """
    batch, height, width, _ = flow.shape
    x = np.clip(flow[..., 0] + np.arange(width, dtype=np.float32), 0, width - 1)
    y = np.clip(flow[..., 1] + np.arange(height, dtype=np.float32)[:, None], 0, height - 1)
    whole_x, whole_y = np.floor(x), np.floor(y)
    right, low = x - whole_x, y - whole_y
    left, top = whole_x.astype(np.int32), whole_y.astype(np.int32)
    across = np.minimum(width - 1 - left, 1)
    down = np.minimum(height - 1 - top, 1) * width
    at = top * width + left + np.arange(batch, dtype=np.int32)[:, None, None] * (height * width)
    index = np.stack([at, at + across, at + down, at + across + down], axis=-1)
    share = np.stack([
        (1 - right) * (1 - low), right * (1 - low), (1 - right) * low, right * low
    ], axis=-1)
    cells = batch * height * width
    starts = np.arange(0, 4 * cells + 1, 4, dtype=np.int32)
    return csr_matrix((share.ravel(), index.ravel().astype(np.int32), starts), (cells, cells))


def moved(maps: NDArray[Any], by: csr_matrix) -> Floats:
    """Fetch cells of maps, (B, h, w, C)."""
    return np.asarray((by @ maps.reshape(-1, maps.shape[-1])).reshape(maps.shape))


def reach(flow: Floats, cell: int) -> Floats:
    """
    Say how far things moved, as shares of the longer side, the mean of each cell.

    :param flow: (B, h, w, 2), pixels.
    :returns: (B, h / cell, w / cell, 1).
    """
    lengths = np.sqrt(np.square(flow[..., 0]) + np.square(flow[..., 1]))
    return _averaged(lengths, cell)[..., None] / np.float32(max(flow.shape[1:3]))


def moved_pictures(pictures: Tensor, flow: Floats) -> Floats:
    """
    Fetch pixels from where they came.

    :param pictures: (B, 3, h, w), uint8; ``flow``: (B, h, w, 2).
    :returns: (B, 3, h, w), in [0, 255].
    """
    grid = torch.from_numpy(flow * _scale(flow.shape[1:3]) + _places(flow.shape[1:3]))
    found: Floats = move(pictures.float().contiguous(), grid).numpy()
    return found


def _scale(size: Sequence[int]) -> Floats:
    return np.array([2 / size[1], 2 / size[0]], np.float32)


@lru_cache(maxsize=8)
def _places(size: tuple[int, int]) -> Floats:
    """Give the places of pixels as :func:`torch.nn.functional.grid_sample` counts them."""
    height, width = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.asarray((np.stack([x, y], axis=-1) + 0.5) * _scale(size) - 1, np.float32)
