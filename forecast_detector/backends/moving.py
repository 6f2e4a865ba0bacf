"""Maps moved along dense motion, without a framework: exact, and in few calls."""

from __future__ import annotations

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
