"""Where a frame is not what the forecast says, as a map over its image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..boxes import Geometry

FloatMap = NDArray[np.float32]


def over_image(surprise: Tensor, geometry: Geometry, scale: float) -> FloatMap:
    """
    Cut the map of one frame to the cells that the image reaches.

    :param surprise: (C, h, w); its first map is the mean in each cell.
    :param geometry: how the image lies in the network's input.
    :param scale: the range of grey values, in the map's unit.
    :returns: (h', w'), in shares of the range of grey values.
    """
    cells = (surprise[0].float() / scale).cpu().numpy()
    across = zip(
        geometry.offset, geometry.laid_size, geometry.input_size[::-1], cells.shape[::-1])
    columns, rows = (
        slice(math.floor(start * count / side), math.ceil((start + laid) * count / side))
        for start, laid, side, count in across
    )
    found: FloatMap = cells[rows, columns]
    return found
