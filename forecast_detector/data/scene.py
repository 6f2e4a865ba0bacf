"""What the synthetic world shows between two cuts: drawn once, rendered at any time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .sprites import CLASSES, make_sprite, Sprite
from .texture import make_ground

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Waves:
    """
    Smooth, bounded motion: a sum of sines a coordinate, known at any time.

    :ivar amplitude: (waves, D).
    :ivar period: (waves, D), seconds.
    :ivar phase: (waves, D), radians.
    """

    amplitude: Matrix
    period: Matrix
    phase: Matrix

    @classmethod
    def draw(
        cls, rng: np.random.Generator, speed: list[float], period: tuple[float, float],
        waves: int = 2,
    ) -> Waves:
        """Draw waves whose peak speeds, a second and coordinate, add up to ``speed``."""
        shape = (waves, len(speed))
        periods = rng.uniform(*period, shape)
        share = rng.dirichlet(np.full(waves, 4.0), len(speed)).T
        amplitude = share * np.array(speed) * periods / (2 * np.pi)
        return cls(amplitude, periods, rng.uniform(0, 2 * np.pi, shape))

    def at(self, time_s: float) -> Matrix:
        """Return the value at a time, (D,)."""
        angle = 2 * np.pi * time_s / self.period + self.phase
        return np.asarray((self.amplitude * np.sin(angle)).sum(axis=0))


def similarity(scale: float, angle: float, shift: Matrix) -> Matrix:
    """Build the 3x3 matrix that turns, scales, then shifts."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]], [0, 0, 1]])


@dataclass(frozen=True)
class Viewpoint:
    """World to view, both in pixels; the world's origin is the ground's middle."""

    waves: Waves
    size: tuple[int, int]

    def at(self, time_s: float) -> Matrix:
        """Return the matrix from the world to the view, 3x3."""
        x, y, log_zoom, angle = self.waves.at(time_s)
        middle = np.array([(self.size[0] - 1) / 2, (self.size[1] - 1) / 2])
        return similarity(np.exp(log_zoom), angle, middle) @ similarity(1, 0, -np.array([x, y]))


@dataclass(frozen=True)
class Body:
    """One object: a straight path, small waves on it, a turn."""

    label: int
    sprite: Sprite
    start: Matrix
    velocity: Matrix
    angle: tuple[float, float]
    waves: Waves

    def at(self, time_s: float) -> Matrix:
        """Return the matrix from sprite pixels about its centre to the world."""
        dx, dy, log_scale = self.waves.at(time_s)
        shift = self.start + self.velocity * time_s + (dx, dy)
        return similarity(np.exp(log_scale), self.angle[0] + self.angle[1] * time_s, shift)


@dataclass(frozen=True)
class Scene:
    """What is between two cuts: a ground, a camera, objects, a light."""

    ground: NDArray[np.uint8]
    camera: Viewpoint
    bodies: tuple[Body, ...]
    light: Waves
    noise: NDArray[np.int16]


def _draw_body(
    rng: np.random.Generator, camera: Viewpoint, duration_s: float, scale: float
) -> Body:
    """Draw an object that is in view at some time of the scene."""
    label = int(rng.integers(len(CLASSES)))
    kind = CLASSES[label]
    extent = rng.uniform(44, 90) if kind == 'bar' else 26 * (80 / 26) ** rng.random()
    speed = scale * (0.0 if rng.random() < 0.2 else 8 * 10 ** rng.random())
    heading = rng.uniform(0, 2 * np.pi)
    velocity = speed * np.array([np.cos(heading), np.sin(heading)])
    seen_at = rng.uniform(0, duration_s)
    point = np.append(rng.uniform(0.12, 0.88, 2) * camera.size, 1)
    place = (np.linalg.inv(camera.at(seen_at)) @ point)[:2]
    sway = 0.35 * speed
    return Body(
        label, make_sprite(kind, extent * scale, rng), place - velocity * seen_at, velocity,
        (rng.uniform(0, 2 * np.pi), rng.normal(0, 0.5) if speed else 0.0),
        Waves.draw(rng, [sway, sway, 0.06 if speed else 0.0], (2.0, 5.0)),
    )


@lru_cache(maxsize=24)
def make_scene(seed: int, number: int, size: tuple[int, int], duration_s: float) -> Scene:
    """
    Draw a scene: the same arguments give the same scene.

    :param number: which scene of the world; each has its own ground and objects.
    :param duration_s: for that long, three to four objects are in view on average.
    """
    rng = np.random.default_rng([seed, number])
    scale = min(size) / 240
    pan = [scale * rng.uniform(10, 55), scale * rng.uniform(10, 55)]
    camera = Viewpoint(Waves.draw(rng, [*pan, 0.05, 0.06], (7.0, 18.0)), size)
    reach = float(np.abs(camera.waves.amplitude[:, :2]).sum(axis=0).max())
    side = int(np.hypot(*size) * 1.2 + 2 * reach)
    ground = make_ground(rng, side, scale)
    count = 2 + round(duration_s * 0.3) + int(rng.integers(0, 3))
    bodies = tuple(_draw_body(rng, camera, duration_s, scale) for _ in range(count))
    light = Waves.draw(rng, [0.06, 0.015, 0.015], (6.0, 14.0))
    noise = rng.normal(0, 1.0, (size[1] + 64, size[0] + 64, 3))
    return Scene(ground, camera, bodies, light, np.round(noise * 3).astype(np.int16))


def extent(matrix: Matrix, sprite: Sprite) -> Matrix:
    """Bound an outline: xyxy in view pixels, where pixel k covers k to k + 1."""
    points = sprite.outline @ matrix[:2, :2].T + matrix[:2, 2] + 0.5
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def render(scene: Scene, time_s: float) -> NDArray[np.uint8]:
    """Draw the ground and the objects as the camera sees them, without light and noise."""
    camera = scene.camera.at(time_s)
    middle = (np.array(scene.ground.shape[1::-1]) - 1) / 2
    view = camera @ similarity(1, 0, -middle)
    seen = cv2.warpAffine(scene.ground, view[:2], scene.camera.size, flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REFLECT_101)
    image: NDArray[np.uint8] = np.asarray(seen, np.uint8)
    for body in scene.bodies:
        _blend(image, body.sprite, camera @ body.at(time_s))
    return image


def _blend(image: NDArray[np.uint8], sprite: Sprite, matrix: Matrix) -> None:
    """Lay a sprite over the image, in place; only the pixels that it reaches are touched."""
    height, width = image.shape[:2]
    side = sprite.image.shape[0]
    reach = np.hypot(*matrix[:2, 0]) * side * 0.5 + 1
    x0, y0 = np.maximum(np.floor(matrix[:2, 2] - reach).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(matrix[:2, 2] + reach).astype(int) + 1, (width, height))
    if x1 <= x0 or y1 <= y0:
        return
    middle = np.array([(side - 1) / 2] * 2)
    place = similarity(1, 0, -np.array([x0, y0])) @ matrix @ similarity(1, 0, -middle)
    patch = cv2.warpAffine(sprite.image, place[:2], (int(x1 - x0), int(y1 - y0)))
    under = image[y0:y1, x0:x1]
    under[:] = (patch[..., :3] + under * (1 - patch[..., 3:])).astype(np.uint8)
