"""What is seen of a frame before it is read: its thumbnail, and how that moved."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...flow import dense_flow, Flow, grey_thumbnail, prepare
from ...layout import array, stacked, tensor
from ...resizing import resized
from .backbone import STRIDES

# Input pixels a pixel of the picture that the correction sees, each way.
PICTURE = 4
# Sides of the maps' cells, pixels of that picture.
CELLS = tuple(stride // PICTURE for stride in STRIDES)
# In the place of a second map, where the first has columns and rows.
IN_ONE: NDArray[np.float32] = np.empty(0, np.float32)


class Preview(NamedTuple):
    """
    A thumbnail, as correction and motion need it.

    :ivar picture: (B, 3, H/4, W/4), RGB, uint8.
    :ivar grey: the same without colours, (B, 1, H/4, W/4), uint8; ``blurred``: that prepared
        for :func:`~forecast_detector.flow.dense_flow`.
    """

    picture: Tensor
    grey: Tensor
    blurred: Tensor

    @classmethod
    def of(cls, thumbnails: Tensor, reduction: int) -> Preview:
        """
        Make it of thumbnails.

        :param thumbnails: (B, 3, h, w), RGB, uint8, ``reduction`` times smaller than the input.
        """
        images = array(thumbnails)
        height, width = (side * reduction // PICTURE for side in images.shape[1:3])
        pictures = stacked([resized(one, (width, height)) for one in images])
        grey = [grey_thumbnail(one, one.shape[:2]) for one in pictures]
        blurred = [prepare(one) for one in grey]
        made = pictures, *(stacked(some)[..., None] for some in (grey, blurred))
        return cls(*(tensor(one).to(thumbnails.device) for one in made))


class Motion(NamedTuple):
    """
    How the picture moved since the frame before.

    :ivar flow: backward: where what is seen now was before, right and down, pixels of the
        picture, (B, H/4, W/4, 2).
    :ivar expected: the picture before, moved, (B, H/4, W/4, 3), uint8.
    :ivar coarse: the mean of that in each cell of the coarsest map, in these cells,
        (B, H/32, W/32, 2).
    :ivar reach: how far things moved, shares of the longer side, the mean of each cell of the
        coarsest map, (B, H/32, W/32, 1).
    """

    flow: Flow
    expected: NDArray[np.uint8]
    coarse: Flow
    reach: Flow

    @classmethod
    def between(cls, now: Preview, before: Preview) -> Motion:
        """Find it between thumbnails."""
        flow = backward_flow(now, before)
        coarse, = coarser(flow, CELLS[-1:])
        expected = stacked([_moved(*one) for one in zip(array(before.picture), flow)])
        lengths = stacked([cv2.magnitude(one[..., 0], one[..., 1]) for one in flow])
        reach = averaged(lengths, CELLS[-1]) / np.float32(max(flow.shape[1:3]))
        return cls(flow, expected, coarse, reach[..., None])


def backward_flow(now: Preview, before: Preview) -> Flow:
    """Find where what is seen now was before: (B, H/4, W/4, 2), pixels of the picture."""
    pairs = zip(now.blurred[:, 0].cpu().numpy(), before.blurred[:, 0].cpu().numpy())
    return stacked([dense_flow(*pair) for pair in pairs])


def coarser(flow: Flow, cells: Sequence[int]) -> list[Flow]:
    """
    Average motion over cells of several sizes, each in cells of its own.

    :param flow: (B, h, w, 2), in its own pixels.
    :param cells: their sides, pixels; each divides the next.
    """
    motions, side = [], 1
    for cell in cells:
        flow, side = averaged(flow, cell // side), cell
        motions.append(flow / np.float32(cell))
    return motions


def averaged(values: Flow, cell: int) -> Flow:
    """Average (B, h, w) or (B, h, w, C) over square cells, a number of pixels a side."""
    size = (values.shape[2] // cell, values.shape[1] // cell)
    return stacked([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in values])


def _moved(picture: NDArray[np.uint8], flow: Flow) -> NDArray[np.uint8]:
    """Fetch pixels from where they came; the border is repeated."""
    return np.asarray(cv2.remap(
        picture, flow + _places(flow.shape[:2]), IN_ONE, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE), np.uint8)


@lru_cache(maxsize=16)
def _places(size: tuple[int, ...]) -> Flow:
    """Give each pixel its place, (h, w, 2): its column and its row."""
    rows, columns = np.indices(size, np.float32)
    return np.stack([columns, rows], axis=-1)
