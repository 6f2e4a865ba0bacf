"""Images made smaller: averaged, and most of it where that is cheap."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def shrink(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """
    Average an image down. It is halved as long as that leaves enough, and only then resized.

    Averages over parts of pixels are slow: halving first makes them of fewer.

    :param image: (H, W, 3) or (H, W).
    :param size: (width, height), at most those of the image.
    """
    width, height = size
    while (
        image.shape[0] >= 2 * height and image.shape[1] >= 2 * width
        and image.shape[0] % 2 == 0 and image.shape[1] % 2 == 0
    ):
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    if image.shape[:2] != (height, width):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image
