"""Images made smaller: several times faster than averaging in one go, and nearly the same."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def resized(image: Image, size: tuple[int, int], smooth: bool = False) -> Image:
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
    width, height = size
    while _is_halved(image, width, height):
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    if image.shape[:2] == (height, width):
        return image
    factor = 1 if smooth else 2
    shrinks = image.shape[0] >= factor * height and image.shape[1] >= factor * width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _is_halved(image: Image, width: int, height: int) -> bool:
    rows, columns = image.shape[:2]
    return rows >= 2 * height and columns >= 2 * width and not rows % 2 and not columns % 2
