"""Box algebra on NumPy arrays: xyxy unless the name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

# Networks halve their input five times.
GRID = 32


def area(boxes: FloatArray) -> FloatArray:
    """Area of each box, (N, 4) to (N,); a box turned inside out has none."""
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)


def iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Intersection over union of every pair: (N, 4), (M, 4) to (N, M), 0 where both are empty."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    union = area(a)[:, None] + area(b)[None, :] - overlap
    return np.where(union > 0, overlap / np.maximum(union, 1e-12), 0.0)


def xywh_to_xyxy(boxes_xywh: FloatArray) -> FloatArray:
    """Corner and size (COCO) to two corners, (N, 4)."""
    return np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], axis=1)


def xyxy_to_xywh(boxes: FloatArray) -> FloatArray:
    """Two corners to corner and size (COCO), (N, 4)."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


@dataclass(frozen=True)
class Geometry:
    """
    How an image of one size is laid into the network's input.

    :ivar image_size: (width, height) of the image in pixels.
    :ivar input_size: (height, width) of the network's input for it, pixels.
    :ivar scale: input pixels per image pixel, (x, y).
    :ivar offset: where the image's corner lies in the input, pixels (x, y).
    """

    image_size: tuple[int, int]
    input_size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[int, int]

    @classmethod
    def fit(
        cls, image_size: tuple[int, int], input_size: tuple[int, int], resize: str
    ) -> Geometry:
        """
        Lay an image into the input.

        :param image_size: (width, height) in pixels.
        :param input_size: (height, width) in pixels.
        :param resize: ``letterbox`` centres it and keeps its aspect, ``corner`` keeps that and
            lays it at the top left, ``trim`` does so and leaves out the rows and columns of the
            input that the image does not need, ``stretch`` fills the input.
        """
        width, height = image_size
        in_height, in_width = input_size
        scale_x, scale_y = in_width / width, in_height / height
        if resize != 'stretch':
            scale_x = scale_y = min(scale_x, scale_y)
        if resize in ('corner', 'trim'):
            # As YOLOX does, which leaves the last part of a pixel out.
            laid = [max(1, int(side * scale_x + 1e-6)) for side in image_size]
            if resize == 'trim':
                input_size = (_on_grid(laid[1]), _on_grid(laid[0]))
            return cls(
                image_size, input_size, (laid[0] / width, laid[1] / height), (0, 0))
        offset_x = (in_width - round(width * scale_x)) // 2
        offset_y = (in_height - round(height * scale_y)) // 2
        return cls(image_size, input_size, (scale_x, scale_y), (offset_x, offset_y))

    def reduced(self, times: int, resize: str) -> Geometry:
        """
        Lay the same image into an input that is so many times smaller: a thumbnail of it.

        :param resize: as :meth:`fit` was given it.
        """
        height, width = (side // times for side in self.input_size)
        if resize not in ('corner', 'trim'):
            return self.fit(self.image_size, (height, width), resize)
        # As it lies in the input: the trimmed one may be just as large as the image there.
        laid = [max(1, side // times) for side in self.laid_size]
        scale = laid[0] / self.image_size[0], laid[1] / self.image_size[1]
        return Geometry(self.image_size, (height, width), scale, (0, 0))

    @property
    def laid_size(self) -> tuple[int, int]:
        """(width, height) of the image inside the input, pixels; at least 1."""
        return (
            max(1, round(self.image_size[0] * self.scale[0])),
            max(1, round(self.image_size[1] * self.scale[1])),
        )

    def to_input(self, boxes: FloatArray) -> FloatArray:
        """Image pixels to input pixels, (N, 4)."""
        scale = np.array(self.scale * 2, np.float32)
        return boxes * scale + np.array(self.offset * 2, np.float32)

    def to_image(self, boxes: FloatArray) -> FloatArray:
        """Input pixels to image pixels, clipped to the image, (N, 4)."""
        scale = np.array(self.scale * 2, np.float32)
        moved = (boxes - np.array(self.offset * 2, np.float32)) / scale
        return np.clip(moved, 0, np.array(self.image_size * 2, np.float32))


def _on_grid(side: int) -> int:
    """Give the least side of an input that holds so many pixels."""
    return -(-side // GRID) * GRID
