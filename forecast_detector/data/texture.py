"""The ground of the synthetic world: one large texture a scene, muted colours and clutter."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Two colours a theme, RGB: asphalt, concrete, grass, sand, clay, snow, moss, slate.
THEMES = (
    ((62, 64, 68), (104, 104, 104)),
    ((138, 136, 130), (176, 174, 166)),
    ((62, 88, 46), (120, 128, 72)),
    ((164, 142, 104), (204, 186, 148)),
    ((112, 76, 58), (160, 118, 92)),
    ((190, 196, 204), (228, 230, 232)),
    ((58, 66, 52), (98, 94, 74)),
    ((70, 80, 94), (116, 124, 132)),
)


def smooth_noise(rng: np.random.Generator, side: int, cells: int) -> NDArray[np.float32]:
    """Draw smooth noise of about unit variance with that many cells a side, (side, side)."""
    grid = rng.standard_normal((cells + 3, cells + 3)).astype(np.float32)
    return np.asarray(
        cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC), np.float32
    )


def octaves(
    rng: np.random.Generator, side: int, first: int, count: int, fall: float
) -> NDArray[np.float32]:
    """
    Sum noise of doubling frequency, (side, side), about unit variance.

    :param fall: each octave's amplitude over the one before.
    """
    total = np.zeros((side, side), np.float32)
    for k in range(count):
        total += fall**k * smooth_noise(rng, side, first * 2**k)
    return total / np.float32(np.sqrt(sum(fall ** (2 * k) for k in range(count))))


def _paint(
    image: NDArray[np.uint8], rng: np.random.Generator, scale: float
) -> NDArray[np.uint8]:
    """Paint cracks, stains, pebbles and worn lines: clutter that is nothing."""
    side = image.shape[0]
    layer = image.copy()

    def shade(low: int, high: int) -> tuple[int, ...]:
        x, y = rng.integers(0, side, 2)
        return tuple(int(c) for c in np.clip(image[y, x] + float(rng.integers(low, high)), 0, 255))

    for _ in range(rng.integers(6, 16)):
        steps = rng.normal(0, 14 * scale, (12, 2)) + rng.normal(0, 12 * scale, 2)
        path = (rng.integers(0, side, 2) + np.cumsum(steps, axis=0)).astype(np.int32)
        cv2.polylines(layer, [path], False, shade(-60, -30), int(rng.integers(1, 3)), cv2.LINE_AA)
    for _ in range(rng.integers(20, 60)):
        centre = tuple(int(v) for v in rng.integers(0, side, 2))
        axes = tuple(max(1, int(v * scale)) for v in rng.integers(3, 22, 2))
        cv2.ellipse(layer, centre, axes, float(rng.integers(0, 180)), 0, 360, shade(-28, 28), -1,
                    cv2.LINE_AA)
    for _ in range(rng.integers(60, 160)):
        corners = rng.normal(0, 5 * scale, (int(rng.integers(3, 7)), 2)) + rng.integers(0, side, 2)
        hull = cv2.convexHull(corners.astype(np.int32))
        cv2.fillConvexPoly(layer, hull, shade(-70, 80), cv2.LINE_AA)
    for _ in range(rng.integers(0, 5)):
        a, b = rng.integers(-side // 2, side + side // 2, (2, 2))
        tint = (225, 225, 215) if rng.random() < 0.6 else (215, 180, 60)
        cv2.line(layer, tuple(map(int, a)), tuple(map(int, b)), tint,
                 max(1, int(rng.integers(3, 9) * scale)), cv2.LINE_AA)
    return layer


def make_ground(rng: np.random.Generator, side: int, scale: float = 1.0) -> NDArray[np.uint8]:
    """
    Draw the ground of a scene.

    :param side: pixels of each side.
    :param scale: size of the clutter; 1 suits a view 240 pixels high.
    :returns: (side, side, 3), uint8, RGB.
    """
    pair = np.array(THEMES[rng.integers(len(THEMES))], np.float32)
    pair = np.clip(pair + rng.normal(0, 10, (2, 1)) + rng.normal(0, 5, (2, 3)), 20, 238)
    mix = 0.5 + 0.33 * octaves(rng, side, int(rng.integers(4, 10)), 6, 0.62)
    mix = np.clip(mix, 0, 1)[..., None]
    image = pair[0].astype(np.float32) * (1 - mix) + pair[1].astype(np.float32) * mix
    painted = _paint(np.clip(image, 0, 255).astype(np.uint8), rng, scale)
    worn = np.clip(0.55 + 0.5 * octaves(rng, side, 16, 4, 0.8), 0, 1)[..., None]
    grain = float(rng.uniform(3, 11)) * octaves(rng, side, side // 8, 3, 1.0)[..., None]
    image += worn * (painted.astype(np.float32) - image) + grain
    return np.clip(image, 0, 255).astype(np.uint8)
