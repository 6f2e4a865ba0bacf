"""The built-in synthetic world: a moving camera over textured ground, objects with known boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import area
from ..types import BadFrameError
from .base import Clip, ClipDataset, Truth
from .ground import make_ground
from .sprites import CLASSES, make_sprite, Sprite

Matrix = NDArray[np.float64]
# First seed of each split: they share no world as long as a split has fewer clips than this.
_SPLIT_SIZE = 1_000_000
SPLITS = ('train', 'val', 'demo')


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


def _similarity(scale: float, angle: float, shift: Matrix) -> Matrix:
    """Build the 3x3 matrix that turns, scales, then shifts."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]], [0, 0, 1]])


@dataclass(frozen=True)
class _Camera:
    """World to view. World and view are in pixels; the world's origin is the ground's middle."""

    waves: Waves
    size: tuple[int, int]

    def at(self, time_s: float) -> Matrix:
        x, y, log_zoom, angle = self.waves.at(time_s)
        middle = np.array([(self.size[0] - 1) / 2, (self.size[1] - 1) / 2])
        return _similarity(np.exp(log_zoom), angle, middle) @ _similarity(1, 0, -np.array([x, y]))


@dataclass(frozen=True)
class _Body:
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
        return _similarity(np.exp(log_scale), self.angle[0] + self.angle[1] * time_s, shift)


@dataclass(frozen=True)
class Scene:
    """What is between two cuts: a ground, a camera, objects, a light."""

    ground: NDArray[np.uint8]
    camera: _Camera
    bodies: tuple[_Body, ...]
    light: Waves
    noise: NDArray[np.int16]


def _draw_body(
    rng: np.random.Generator, camera: _Camera, duration_s: float, scale: float
) -> _Body:
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
    return _Body(
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
    camera = _Camera(Waves.draw(rng, [*pan, 0.05, 0.06], (7.0, 18.0)), size)
    reach = float(np.abs(camera.waves.amplitude[:, :2]).sum(axis=0).max())
    side = int(np.hypot(*size) * 1.2 + 2 * reach)
    ground = make_ground(rng, side, scale)
    count = 2 + round(duration_s * 0.3) + int(rng.integers(0, 3))
    bodies = tuple(_draw_body(rng, camera, duration_s, scale) for _ in range(count))
    light = Waves.draw(rng, [0.06, 0.015, 0.015], (6.0, 14.0))
    noise = rng.normal(0, 1.0, (size[1] + 64, size[0] + 64, 3))
    return Scene(ground, camera, bodies, light, np.round(noise * 3).astype(np.int16))


class SyntheticWorld(Clip):
    """
    A deterministic video with exact truth; any frame can be read at any time.

    Boxes are those of the objects' outlines, clipped to the image. An object is in the truth if
    at least ``min_visible`` of its box lies in the image and at least that share is not behind
    the box of another object.
    """

    def __init__(
        self, seed: int, length: int, size: tuple[int, int] = (320, 240), fps: float = 15.0,
        cut_every: int | None = None, noise: float = 1.0, motion_blur: float = 0.0,
        min_visible: float = 0.4, first_image_id: int = 0,
    ) -> None:
        """
        Choose a world; it is drawn when it is looked at.

        :param seed: not negative.
        :param length: frames.
        :param size: (width, height) in pixels.
        :param cut_every: a cut to a new scene after so many frames; None never cuts.
        :param noise: sensor noise; 1 is a standard deviation of three grey levels.
        :param motion_blur: share of the frame time that the shutter is open, [0, 1].
        :param min_visible: share of an object's box, [0, 1].
        :raises ValueError: for a value outside its range.
        """
        if min(length, *size) < 1 or fps <= 0 or (cut_every is not None and cut_every < 1):
            raise ValueError(
                f'length {length}, size {size}, fps {fps}, cut_every {cut_every}: all must be '
                f'positive'
            )
        if noise < 0 or not 0 <= motion_blur <= 1 or not 0 <= min_visible <= 1:
            raise ValueError(
                f'noise {noise}, motion_blur {motion_blur}, min_visible {min_visible}: noise must '
                f'not be negative, the others lie in [0, 1]'
            )
        self.name, self.fps, self.size = f'synthetic_{seed}', fps, size
        self.cut_every = cut_every or length
        self._seed, self._length, self._first_image_id = seed, length, first_image_id
        self._noise, self._motion_blur, self._min_visible = noise, motion_blur, min_visible

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._length

    def image_id(self, index: int) -> int:
        """Count from ``first_image_id``."""
        return self._first_image_id + index

    def scene(self, index: int) -> tuple[Scene, float]:
        """
        Find a frame's scene.

        :returns: the scene, and the time since its start in seconds.
        :raises BadFrameError: if there is no such frame.
        """
        if not 0 <= index < self._length:
            raise BadFrameError(
                f'{self.name}: frame {index} asked for; there are {self._length}, from 0'
            )
        number, offset = divmod(index, self.cut_every)
        duration_s = min(self.cut_every, self._length) / self.fps
        return make_scene(self._seed, number, self.size, duration_s), offset / self.fps

    def read(self, index: int) -> NDArray[np.uint8]:
        """Render a frame, (H, W, 3), uint8, RGB."""
        scene, time_s = self.scene(index)
        image = render(scene, time_s)
        if self._motion_blur > 0:
            open_s = self._motion_blur / self.fps
            parts = [render(scene, time_s + open_s * k / 4) for k in (-2, -1, 1, 2)]
            image = np.mean([image, *parts], axis=0).astype(np.uint8)
        gain = 1 + scene.light.at(time_s)[0] + scene.light.at(time_s)[1] * np.array([1, 0, -1])
        table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
        lit = cv2.LUT(image, table.reshape(1, 256, 3))
        if self._noise > 0:
            dx, dy = np.random.default_rng([self._seed, index, 1]).integers(0, 64, 2)
            width, height = self.size
            grain = scene.noise[dy:dy + height, dx:dx + width]
            if self._noise != 1:
                grain = np.round(grain * self._noise).astype(np.int16)
            lit = cv2.add(lit, grain, dtype=cv2.CV_8U)
        return np.asarray(lit, np.uint8)

    def truth(self, index: int) -> Truth:
        """Compute the boxes of the objects in view, without rendering; later ones are on top."""
        scene, time_s = self.scene(index)
        camera = scene.camera.at(time_s)
        full = np.array([_extent(camera @ b.at(time_s), b.sprite) for b in scene.bodies])
        size = np.array(self.size * 2)
        boxes = np.clip(full, 0, size).astype(np.float32)
        shown = area(boxes) / np.maximum(area(full), 1e-6)
        keep = (shown >= self._min_visible) & (1 - _covered(boxes) >= self._min_visible)
        keep &= (boxes[:, 2] - boxes[:, 0] >= 2) & (boxes[:, 3] - boxes[:, 1] >= 2)
        labels = np.array([body.label for body in scene.bodies], np.int64)
        tracks = np.arange(len(labels)) + 1000 * (index // self.cut_every)
        return Truth(boxes[keep], labels[keep], tracks[keep].astype(np.int64))


def _extent(matrix: Matrix, sprite: Sprite) -> Matrix:
    """Bound an outline: xyxy in view pixels, where pixel k covers k to k + 1."""
    points = sprite.outline @ matrix[:2, :2].T + matrix[:2, 2] + 0.5
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _covered(boxes: NDArray[np.float32]) -> Matrix:
    """Take the largest share of each box that lies behind one of the later boxes, (N,)."""
    top_left = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    overlap = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    share = np.triu(overlap, 1) / np.maximum(area(boxes), 1e-6)[:, None]
    return np.asarray(share.max(axis=1))


def render(scene: Scene, time_s: float) -> NDArray[np.uint8]:
    """Draw the ground and the objects as the camera sees them, without light and noise."""
    camera = scene.camera.at(time_s)
    middle = (np.array(scene.ground.shape[1::-1]) - 1) / 2
    view = camera @ _similarity(1, 0, -middle)
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
    place = _similarity(1, 0, -np.array([x0, y0])) @ matrix @ _similarity(1, 0, -middle)
    patch = cv2.warpAffine(sprite.image, place[:2], (int(x1 - x0), int(y1 - y0)))
    under = image[y0:y1, x0:x1]
    under[:] = (patch[..., :3] + under * (1 - patch[..., 3:])).astype(np.uint8)


def load_synthetic(
    split: str, clips: int = 24, length: int = 120, size: tuple[int, int] = (320, 240),
    fps: float = 15.0, cut_every: int | None = None, motion_blur: float = 0.0,
) -> ClipDataset:
    """
    Make a data set; no two splits share a world.

    :param split: ``train``, ``val`` or ``demo``.
    :param clips: number of worlds.
    :param length: frames of each.
    :raises ValueError: for an unknown split, or too many clips.
    """
    if split not in SPLITS:
        raise ValueError(f'the synthetic world has the splits {SPLITS}, not {split!r}')
    if not 1 <= clips < _SPLIT_SIZE:
        raise ValueError(f'clips: {clips} is not between 1 and {_SPLIT_SIZE - 1}')
    first = SPLITS.index(split) * _SPLIT_SIZE
    return ClipDataset(CLASSES, [
        SyntheticWorld(first + k, length, size, fps, cut_every, motion_blur=motion_blur,
                       first_image_id=k * length)
        for k in range(clips)
    ])
