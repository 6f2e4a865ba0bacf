"""Frames to measure on: a camera that pans over a ground, its images in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import Frame

Images = Sequence[NDArray[np.uint8]]
PERIOD_NS = 33_333_333
# So many different images; the camera pans there and back.
COUNT = 24
# (width, height) of most of what is measured.
IMAGE = (640, 480)


def pan(size: tuple[int, int], seed: int = 0) -> Images:
    """
    Make images of smooth noise that moves steadily.

    :param size: (width, height), pixels.
    :returns: (H, W, 3) each, uint8.
    """
    width, height = size
    step = max(1, width // 100)
    rng = np.random.default_rng(seed)
    wide = width + COUNT * step
    coarse = rng.integers(0, 256, (height // 16 + 2, wide // 16 + 2, 3), np.uint8)
    ground = cv2.resize(coarse, (wide, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    there = [np.ascontiguousarray(ground[:, k * step:k * step + width]) for k in range(COUNT)]
    return there + there[-2:0:-1]


def frame(images: Images, index: int) -> Frame:
    """Give the frame of a number, however many there are; its image is copied as it is loaded."""
    image = images[index % len(images)]
    return Frame(
        index * PERIOD_NS, partial(np.copy, image), (image.shape[1], image.shape[0]))
