"""The built-in synthetic world: a moving camera over textured ground, objects with known boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import area
from ..types import BadFrameError
from .base import Clip, ClipDataset, Truth
from .scene import extent, make_scene, Matrix, render, Scene
from .sprites import CLASSES

# First seed of each split: they share no world as long as a split has fewer clips than this.
_SPLIT_SIZE = 1_000_000
SPLITS = ('train', 'val', 'demo')


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
        Choose a world; a frame is drawn when it is read.

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
        full = np.array([extent(camera @ b.at(time_s), b.sprite) for b in scene.bodies])
        size = np.array(self.size * 2)
        boxes = np.clip(full, 0, size).astype(np.float32)
        shown = area(boxes) / np.maximum(area(full), 1e-6)
        keep = (shown >= self._min_visible) & (1 - _covered(boxes) >= self._min_visible)
        keep &= (boxes[:, 2] - boxes[:, 0] >= 2) & (boxes[:, 3] - boxes[:, 1] >= 2)
        labels = np.array([body.label for body in scene.bodies], np.int64)
        tracks = np.arange(len(labels)) + 1000 * (index // self.cut_every)
        return Truth(boxes[keep], labels[keep], tracks[keep].astype(np.int64))


def _covered(boxes: NDArray[np.float32]) -> Matrix:
    """Take the largest share of each box that lies behind one of the later boxes, (N,)."""
    top_left = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    overlap = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    share = np.triu(overlap, 1) / np.maximum(area(boxes), 1e-6)[:, None]
    return np.asarray(share.max(axis=1))


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
