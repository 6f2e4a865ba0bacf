"""From an image of any size to the network's input."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .boxes import Geometry

# Grey that the paper's family pads with: it normalises to about zero, as in training.
FILL = 127


def lay_image(
    image: NDArray[np.uint8], geometry: Geometry, input_size: tuple[int, int], fill: int = FILL
) -> NDArray[np.uint8]:
    """
    Resize an image and lay it into the network's input.

    :param image: (H, W, 3), uint8.
    :param input_size: (height, width) in pixels.
    :param fill: grey value where the image does not reach.
    :returns: (height, width, 3), uint8.
    """
    width, height = geometry.laid_size
    shrinks = width * height < 0.5 * image.shape[0] * image.shape[1]
    laid = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    if (height, width) == input_size:
        return laid.astype(np.uint8, copy=False)
    canvas = np.full((*input_size, 3), fill, np.uint8)
    x, y = geometry.offset
    canvas[y:y + height, x:x + width] = laid
    return canvas
