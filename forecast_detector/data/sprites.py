"""Objects of the synthetic world: six kinds, distinct by shape and pattern."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = ('disc', 'square', 'triangle', 'ring', 'cross', 'bar')

# Usual hue of a kind in degrees. A hint and no more: a quarter of the objects take any hue.
_HUES = {'disc': 8, 'square': 215, 'triangle': 48, 'ring': 325, 'cross': 140, 'bar': 25}
_OVERSAMPLE = 3
_HALO = 0.12


@dataclass(frozen=True)
class Sprite:
    """
    The appearance of one object.

    :ivar image: (S, S, 4), float32, RGB times alpha and alpha; 0 to 255 and 0 to 1.
    :ivar outline: (N, 2), float32: points of the edge from the centre, in sprite pixels.
    """

    image: NDArray[np.float32]
    outline: NDArray[np.float32]


def _circle(radius: float) -> NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _outline(kind: str) -> NDArray[np.float64]:
    """Trace a shape about the origin; its longest extent is about 1."""
    if kind in ('disc', 'ring'):
        return _circle(0.5)
    if kind == 'triangle':
        return 0.56 * np.array([[0, -1], [0.866, 0.5], [-0.866, 0.5]])
    if kind == 'cross':
        a, b = 0.5, 0.16
        return np.array([[-b, -a], [b, -a], [b, -b], [a, -b], [a, b], [b, b], [b, a], [-b, a],
                         [-b, b], [-a, b], [-a, -b], [-b, -b]])
    half = (0.5, 0.14) if kind == 'bar' else (0.43, 0.43)
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half


def _pattern(kind: str, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say where the second colour goes; x and y run from -0.5 to 0.5 across the shape."""
    if kind == 'disc':
        return np.hypot(np.abs(x) - 0.18, np.abs(y) - 0.18) < 0.1
    if kind == 'square':
        return (np.floor(x / 0.215) + np.floor(y / 0.215)) % 2 == 0
    if kind == 'triangle':
        return (y + 0.6) % 0.24 < 0.11
    if kind == 'ring':
        return np.floor(np.arctan2(y, x) / (np.pi / 4)) % 2 == 0
    if kind == 'cross':
        return np.maximum(np.abs(x), np.abs(y)) < 0.16
    return (x + y + 0.7) % 0.28 < 0.14


def _colour(rng: np.random.Generator, hue: float, value: float) -> NDArray[np.float32]:
    saturation = rng.uniform(0.55, 0.95) if rng.random() < 0.8 else rng.uniform(0.15, 0.4)
    hsv = np.array([[[hue % 360, saturation, value]]], np.float32)
    return 255 * np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32)[0, 0]


def make_sprite(kind: str, size: float, rng: np.random.Generator) -> Sprite:
    """
    Draw an object.

    :param kind: one of :data:`CLASSES`.
    :param size: longest extent in pixels.
    """
    side = 2 * int(np.ceil(size * (0.5 + _HALO + 0.06)))
    fine = side * _OVERSAMPLE
    outline = _outline(kind)
    axis = (np.arange(fine, dtype=np.float32) + 0.5 - fine / 2) / np.float32(size * _OVERSAMPLE)
    x, y = np.meshgrid(axis, axis)
    mask = np.zeros((fine, fine), np.uint8)
    corners = outline * size * _OVERSAMPLE + (fine - 1) / 2
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    if kind == 'ring':
        mask[np.hypot(x, y) < 0.26] = 0
    hue = rng.normal(_HUES[kind], 14) if rng.random() < 0.75 else rng.uniform(0, 360)
    first = _colour(rng, hue, rng.uniform(0.55, 0.95))
    strength = rng.uniform(0.2, 1.0)
    second = first + strength * ((255 if first.mean() < 130 else 15) - first)
    colour = np.where(_pattern(kind, x, y)[..., None], second, first).astype(np.float32)
    # Light from one side of the object, a dark rim, a little dirt.
    turn = rng.uniform(0, 2 * np.pi)
    light = 1 + 0.3 * (np.cos(turn) * x + np.sin(turn) * y)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(size * 0.09)))
    dirt = cv2.resize(rng.normal(0, 9, (9, 9)).astype(np.float32), (fine, fine))
    colour = colour * (light * np.where(inner > 127, 1.0, 0.62))[..., None] + dirt[..., None]
    alpha = mask.astype(np.float32)[..., None] / 255
    shadow = 0.45 * cv2.GaussianBlur(alpha[..., 0], (0, 0), fine * _HALO / 2.2)[..., None]
    image = np.concatenate(
        [np.clip(colour, 0, 255) * alpha, alpha + shadow * (1 - alpha)], axis=2
    ).astype(np.float32)
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return Sprite(np.asarray(image, np.float32), (outline * size).astype(np.float32))
