"""SSD's geometric augmentation (Liu et al. 2016, section 2.2), one draw for a whole clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..boxes import iou
from ..data.transforms import ClipTransform, CropAndTurn, Photometric

Window = tuple[float, float, float, float]
# Overlap that some object has to have with the crop; None takes the whole image, 0 any crop.
OVERLAPS = (None, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
TRIALS = 50
LARGEST_EXPANSION = 4.0
SMALLEST_SIDE = 0.3


def draw_ssd_window(
    rng: np.random.Generator, image_size: tuple[int, int], boxes: NDArray[np.float32]
) -> Window:
    """
    Expand the image into a larger grey one (one time in two), then crop around objects.

    :param image_size: (width, height) in pixels.
    :param boxes: (N, 4), xyxy in image pixels, of which one must overlap a crop enough.
    :returns: x, y, width, height in image pixels; it may reach beyond the image.
    """
    width, height = float(image_size[0]), float(image_size[1])
    canvas: Window = (0.0, 0.0, width, height)
    if rng.random() < 0.5:
        factor = rng.uniform(1, LARGEST_EXPANSION)
        x, y = rng.uniform(0, width * (factor - 1)), rng.uniform(0, height * (factor - 1))
        canvas = (-x, -y, width * factor, height * factor)
    overlap = OVERLAPS[rng.integers(len(OVERLAPS))]
    if overlap is None or len(boxes) == 0:
        return canvas
    for _ in range(TRIALS):
        share_w, share_h = rng.uniform(SMALLEST_SIDE, 1, 2)
        if not 0.5 <= share_w / share_h <= 2:
            continue
        w, h = share_w * canvas[2], share_h * canvas[3]
        x = canvas[0] + rng.uniform(0, canvas[2] - w)
        y = canvas[1] + rng.uniform(0, canvas[3] - h)
        corners = np.array([[x, y, x + w, y + h]])
        if iou(corners, boxes).max() >= overlap:
            return (x, y, w, h)
    return canvas


def fit_aspect(window: Window, aspect: float) -> Window:
    """
    Widen a window about its centre to an aspect, so that nothing is distorted.

    :param aspect: width over height.
    """
    x, y, w, h = window
    wide, high = max(w, h * aspect), max(h, w / aspect)
    return (x - (wide - w) / 2, y - (high - h) / 2, wide, high)


def draw_ssd_transform(
    rng: np.random.Generator,
    image_size: tuple[int, int],
    size: tuple[int, int],
    boxes: NDArray[np.float32],
    letterbox: bool,
) -> ClipTransform:
    """
    Draw expansion, crop, mirror and colours for all frames of a clip.

    :param image_size: (width, height) of the frames.
    :param size: (height, width) of the result.
    :param boxes: (N, 4), the objects of one frame, for the crop.
    :param letterbox: keep the aspect, as inference will; else stretch, as SSD does.
    """
    window = draw_ssd_window(rng, image_size, boxes)
    if letterbox:
        window = fit_aspect(window, size[1] / size[0])
    geometry = CropAndTurn(window, mirror=bool(rng.random() < 0.5))
    return ClipTransform(geometry, Photometric.draw(rng), size)
