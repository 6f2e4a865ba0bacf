"""Maps moved along dense motion, without a framework: exact, and in few calls."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]


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
    index = np.empty((*at.shape, 4), np.int32)
    index[..., 0], index[..., 1] = at, at + across
    index[..., 2:] = index[..., :2] + down[..., None]
    share = np.empty((*at.shape, 4), np.float32)
    share[..., 0], share[..., 1] = 1 - right, right
    share[..., 2:] = share[..., :2] * low[..., None]
    share[..., :2] -= share[..., 2:]
    made = copy(_four_a_row(at.size))
    # Set directly: the checks of a new matrix take as long as all else here.
    made.indices, made.data = index.ravel(), share.ravel()
    return made


@lru_cache(maxsize=64)
def _four_a_row(rows: int) -> csr_matrix:
    """Make a square matrix with four places in each row, that are given their columns later."""
    starts = np.arange(0, 4 * rows + 1, 4, dtype=np.int32)
    return csr_matrix(
        (np.zeros(4 * rows, np.float32), np.zeros(4 * rows, np.int32), starts), (rows, rows))


def moved(maps: NDArray[Any], by: csr_matrix) -> Floats:
    """Fetch cells of maps, (B, h, w, C)."""
    return np.asarray((by @ maps.reshape(-1, maps.shape[-1])).reshape(maps.shape))
