"""Phase correlation, as in ``model.motion``, of arrays: a step has one, and each call counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from ..model.motion import LEAST_RESPONSE, REACH

Floats = NDArray[np.float32]
STEPS = np.arange(-REACH, REACH + 1)


def shifts(before: Floats, now: Floats) -> Floats:
    """
    Find by how much pictures moved, see :func:`~forecast_detector.model.motion.phase_correlation`.

    :param before: (B, h, w), grey values; 0 where there is no picture; ``now``: likewise.
    :returns: (B, 2), right and down, as shares of the width and the height.
    """
    return np.array([_shift(*pair) for pair in zip(before, now)], np.float32)


def _shift(before: Floats, now: Floats) -> tuple[float, float]:
    height, width = now.shape
    window = _window(now)
    cross = np.conj(rfft2(before * window)) * rfft2(now * window)
    surface = irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=(height, width))
    row, column = divmod(int(surface.argmax()), width)
    rows, columns = row + STEPS, column + STEPS
    around = np.maximum(surface[(rows % height)[:, None], columns % width], 0)
    response = float(around.sum())
    if response <= LEAST_RESPONSE / math.sqrt(height * width):
        return 0.0, 0.0
    x = float(around.sum(axis=0) @ columns) / response / width
    y = float(around.sum(axis=1) @ rows) / response / height
    # Shifts beyond half the picture are shifts the other way.
    return (x - 1 if x > 0.5 else x), (y - 1 if y > 0.5 else y)


def _window(picture: Floats) -> Floats:
    """Make a Hann window over the part of a picture that is not padding."""
    there = picture != 0
    down, across = (_hann(there.any(axis=axis)) for axis in (1, 0))
    return np.asarray(down[:, None] * across, np.float32)


def _hann(inside: NDArray[Any]) -> Floats:
    first = int(inside.argmax())
    last = len(inside) - 1 - int(inside[::-1].argmax())
    share = (np.arange(len(inside)) - first + 0.5) / (last - first + 1)
    return np.asarray(np.sin(math.pi * np.clip(share, 0, 1)) ** 2, np.float32)
