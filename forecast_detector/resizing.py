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


def halved(image: Image, size: Size) -> Image:
    """
    Halve an image as often as :func:`resized` does on the way to a size.

    :param size: (width, height), pixels.
    """
    for stage in _halves((image.shape[1], image.shape[0]), size):
        image = np.asarray(cv2.resize(image, stage, interpolation=cv2.INTER_AREA), np.uint8)
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
    left = given
    for left in _halves(given, size):
        yield left, cv2.INTER_AREA
    if left != size:
        factor = 1 if smooth else 2
        shrinks = left[0] >= factor * size[0] and left[1] >= factor * size[1]
        yield size, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR


def _halves(given: Size, size: Size) -> Iterator[Size]:
    """Give the sizes that an image is halved to, as long as that leaves it larger."""
    width, height = given
    while width >= 2 * size[0] and height >= 2 * size[1] and not (width % 2 or height % 2):
        width, height = width // 2, height // 2
        yield width, height
