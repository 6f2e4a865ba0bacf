"""Augmentation whose every random draw is shared by the frames of a clip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .base import Truth

FILL = 127
# An object of which less than this share is left by a crop is no longer labelled.
MIN_VISIBLE = 0.4


@dataclass(frozen=True)
class Photometric:
    """
    SSD's colour distortion with its values drawn.

    :ivar brightness: added, in 0..255.
    :ivar contrast: factor.
    :ivar saturation: factor.
    :ivar hue: added, in degrees.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Photometric:
        """Draw each distortion with probability one half."""
        return cls(
            rng.uniform(-32, 32) if rng.random() < 0.5 else 0.0,
            rng.uniform(0.5, 1.5) if rng.random() < 0.5 else 1.0,
            rng.uniform(0.5, 1.5) if rng.random() < 0.5 else 1.0,
            rng.uniform(-18, 18) if rng.random() < 0.5 else 0.0,
        )

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Distort an RGB image, (H, W, 3), uint8."""
        if self.brightness or self.contrast != 1.0:
            table = np.arange(256) * self.contrast + self.brightness
            image = np.asarray(cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)), np.uint8)
        if self.saturation != 1.0 or self.hue:
            hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
            values = np.arange(256)
            hue = (values + self.hue / 2) % 180  # OpenCV counts hue in steps of two degrees
            saturation = np.clip(values * self.saturation, 0, 255)
            table = np.stack([hue, saturation, values], axis=-1).astype(np.uint8)
            rgb = cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2RGB)
            image = np.asarray(rgb, np.uint8)
        return image


@dataclass(frozen=True)
class CropAndTurn:
    """
    A window of the image, turned and mirrored, scaled to the output.

    :ivar window: x, y, width, height in image pixels; what lies outside the image is grey.
    :ivar mirror: flip left and right, after the crop.
    :ivar quarter_turns: counter-clockwise, after the mirror.
    """

    window: tuple[float, float, float, float]
    mirror: bool = False
    quarter_turns: int = 0

    def image(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """
        Transform an image.

        :param size: (height, width) of the output.
        """
        x, y, w, h = self.window
        out_h, out_w = size if self.quarter_turns % 2 == 0 else size[::-1]
        shrink = min(out_w / w, out_h / h)
        if shrink < 0.7:
            # warpAffine samples single pixels; averaged first, a large image does not alias.
            image = np.asarray(cv2.resize(
                image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
            ), np.uint8)
            x, y, w, h = (side * shrink for side in self.window)
        scale = np.array([[out_w / w, 0, -x * out_w / w], [0, out_h / h, -y * out_h / h]])
        out = cv2.warpAffine(
            image,
            # Pixel centres, not corners, keep their place.
            scale + np.array([[0, 0, 0.5 * out_w / w - 0.5], [0, 0, 0.5 * out_h / h - 0.5]]),
            (out_w, out_h),
            flags=cv2.INTER_LINEAR,
            borderValue=(FILL, FILL, FILL),
        )
        if self.mirror:
            out = out[:, ::-1]
        return np.ascontiguousarray(np.rot90(out, self.quarter_turns))

    def truth(self, truth: Truth, size: tuple[int, int]) -> Truth:
        """Transform the annotated objects likewise; drop those that the crop cuts away."""
        if len(truth) == 0:
            return truth
        x, y, w, h = self.window
        out_h, out_w = size if self.quarter_turns % 2 == 0 else size[::-1]
        factor = np.array([out_w / w, out_h / h] * 2, np.float32)
        moved = (truth.boxes - np.array([x, y, x, y], np.float32)) * factor
        clipped = np.clip(moved, 0, np.array([out_w, out_h] * 2, np.float32))
        full = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
        sides = clipped[:, 2:] - clipped[:, :2]
        keep = (sides.prod(axis=1) >= MIN_VISIBLE * full) & (sides.min(axis=1) >= 2)
        boxes = clipped[keep]
        if self.mirror:
            boxes = np.stack(
                [out_w - boxes[:, 2], boxes[:, 1], out_w - boxes[:, 0], boxes[:, 3]], axis=1
            )
        for _ in range(self.quarter_turns % 4):
            boxes = np.stack(
                [boxes[:, 1], out_w - boxes[:, 2], boxes[:, 3], out_w - boxes[:, 0]], axis=1
            )
            out_h, out_w = out_w, out_h
        return Truth(
            boxes.astype(np.float32), truth.labels[keep], truth.tracks[keep], truth.annotated
        )


@dataclass(frozen=True)
class ClipTransform:
    """Geometry and colour, drawn once and applied to every frame of a clip."""

    geometry: CropAndTurn
    photometric: Photometric
    size: tuple[int, int]

    def __call__(
        self, image: NDArray[np.uint8], truth: Truth
    ) -> tuple[NDArray[np.uint8], Truth]:
        """Transform a frame; (height, width) of the result is ``size``."""
        # Colours first: what pads the image has to stay the grey that inference pads with.
        distorted = self.photometric(image)
        return self.geometry.image(distorted, self.size), self.geometry.truth(truth, self.size)


def draw_window(
    rng: np.random.Generator,
    image_size: tuple[int, int],
    aspect: float,
    scale: tuple[float, float],
    around: NDArray[np.float32] | None = None,
) -> tuple[float, float, float, float]:
    """
    Draw a crop window: below scale 1 it magnifies, above 1 the image is expanded with grey.

    :param image_size: (width, height) in pixels.
    :param aspect: width over height of the output.
    :param scale: range of the window's side over the image's.
    :param around: a box (xyxy) that the window should contain, where it fits.
    """
    width, height = image_size
    side = np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1])))
    base = max(width / aspect, height)
    window_w, window_h = base * aspect * side, base * side
    ranges = [(0.0, width - window_w), (0.0, height - window_h)]
    if around is not None:
        for axis, window in enumerate((window_w, window_h)):
            low, high = around[axis + 2] - window, around[axis]
            ranges[axis] = (low, high) if low < high else (high, low)
    x, y = (rng.uniform(min(r), max(r)) for r in ranges)
    return x, y, window_w, window_h
