"""From an image of any size to the network's input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .boxes import Geometry
from .resizing import resized

# Grey that the paper's family pads with: it normalises to about zero, as in training.
FILL = 127


def lay_image(
    image: NDArray[np.uint8], geometry: Geometry, fill: int = FILL
) -> NDArray[np.uint8]:
    """
    Resize an image and lay it into the network's input.

    :param image: (H, W, 3), uint8.
    :param geometry: how it lies there.
    :param fill: grey value where the image does not reach.
    :returns: (height, width, 3) of the input, uint8.
    """
    width, height = geometry.laid_size
    laid = resized(image, (width, height))
    if (height, width) == geometry.input_size:
        return laid
    canvas = np.full((*geometry.input_size, 3), fill, np.uint8)
    x, y = geometry.offset
    canvas[y:y + height, x:x + width] = laid
    return canvas
