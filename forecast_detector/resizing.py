"""Images made smaller: several times faster than averaging in one go, and nearly the same."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
# (width, height), pixels.
Size = tuple[int, int]


def resized(image: Image, size: Size, smooth: bool = False) -> Image:
    """
    Resize an image.

    It is halved as long as that leaves it larger, as averages of four pixels take no time worth
    naming, and then interpolated, or averaged where it cannot be halved.

    :param image: (H, W) or (H, W, C).
    :param size: (width, height), pixels.
    :param smooth: average in the last step, too; a search for motion is misled by what
        interpolating leaves out.
    :returns: the image itself if it has that size.
    """
    for stage, how in _stages((image.shape[1], image.shape[0]), size, smooth):
        image = np.asarray(cv2.resize(image, stage, interpolation=how), np.uint8)
    return image


def weights(given: Size, size: Size) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Make the matrices that resize as :func:`resized` does, but for its rounding.

    :param given: of the image, (width, height).
    :returns: what its columns are multiplied by from the left, (h, H), and its rows, (w, W).
    """
    columns, rows = (np.eye(side, dtype=np.float32) for side in reversed(given))
    for (width, height), how in _stages(given, size, smooth=False):
        columns, rows = (
            np.asarray(cv2.resize(one, (side, to), interpolation=how), np.float32)
            for one, side, to in ((columns, given[1], height), (rows, given[0], width)))
    return columns, rows


def _stages(given: Size, size: Size, smooth: bool) -> Iterator[tuple[Size, int]]:
    """Give the sizes that an image goes through, and how OpenCV interpolates on the way."""
    width, height = size
    while given[0] >= 2 * width and given[1] >= 2 * height and not (given[0] % 2 or given[1] % 2):
        given = given[0] // 2, given[1] // 2
        yield given, cv2.INTER_AREA
    if given != (width, height):
        factor = 1 if smooth else 2
        shrinks = given[0] >= factor * width and given[1] >= factor * height
        yield (width, height), cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
