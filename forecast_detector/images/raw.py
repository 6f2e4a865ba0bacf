"""Raw images: the fields of ``sensor_msgs/Image`` checked, and made RGB."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..legible import legible
from ..limits import MAX_PIXELS
from ..types import BadFrameError, CutImageError
from .claimed import check_pixels

Buffer = bytes | bytearray | memoryview | NDArray[np.uint8]


@dataclass(frozen=True)
class _Encoding:
    """
    How an encoding lies in memory and becomes RGB.

    :ivar bits: of one pixel (of the luma plane's for NV12).
    :ivar code: OpenCV's conversion to RGB; None copies.
    :ivar depth: bits of one value; of 16 the upper 8 are used.
    """

    bits: int
    channels: int
    code: int | None
    depth: int = 8

    def deep(self) -> _Encoding:
        """Give the same with 16 bits a value."""
        return replace(self, bits=2 * self.bits, depth=16)


# OpenCV names a Bayer pattern by the second row's second and third pixels: ROS's rggb is its BG.
_ENCODINGS = {
    'rgb8': _Encoding(24, 3, None),
    'bgr8': _Encoding(24, 3, cv2.COLOR_BGR2RGB),
    '8UC3': _Encoding(24, 3, cv2.COLOR_BGR2RGB),
    'rgba8': _Encoding(32, 4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Encoding(32, 4, cv2.COLOR_BGRA2RGB),
    '8UC4': _Encoding(32, 4, cv2.COLOR_BGRA2RGB),
    'mono8': _Encoding(8, 1, cv2.COLOR_GRAY2RGB),
    '8UC1': _Encoding(8, 1, cv2.COLOR_GRAY2RGB),
    'yuv422': _Encoding(16, 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': _Encoding(16, 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': _Encoding(16, 2, cv2.COLOR_YUV2RGB_YUY2),
    'yuyv': _Encoding(16, 2, cv2.COLOR_YUV2RGB_YUY2),
    'nv12': _Encoding(8, 1, cv2.COLOR_YUV2RGB_NV12),
    'bayer_rggb8': _Encoding(8, 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr8': _Encoding(8, 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg8': _Encoding(8, 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg8': _Encoding(8, 1, cv2.COLOR_BayerGB2RGB),
}
_ENCODINGS |= {
    f'{name.removesuffix("8")}16': _ENCODINGS[name].deep() for name in (
        'rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8',
        'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8',
    )
} | {f'16UC{channels}': _ENCODINGS[f'8UC{channels}'].deep() for channels in (3, 4)}
ENCODINGS = tuple(_ENCODINGS)
_DEPTH = ('16UC1', '16SC1', '32FC1', '64FC1')
_PAIRS = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12')


def _encoding(name: str) -> _Encoding:
    if name in _ENCODINGS:
        return _ENCODINGS[name]
    said = legible(name)
    if name in _DEPTH:
        raise BadFrameError(
            f"encoding '{said}' is a depth or measurement image, without colours to detect in; "
            f"choose the camera's colour topic"
        )
    raise BadFrameError(
        f"encoding '{said}' is unknown; expected one of {', '.join(ENCODINGS)}; convert the "
        f'topic, for example with image_proc'
    )


def _rows(name: str, height: int) -> int:
    return height * 3 // 2 if name == 'nv12' else height


def check_image_layout(
    encoding: str, width: int, height: int, step: int, size: int, max_pixels: int = MAX_PIXELS
) -> None:
    """
    Check an image's fields against each other, without touching its pixels.

    :param step: bytes of a row, padding included.
    :param size: bytes of the data.
    :param max_pixels: a larger image is refused.
    :raises BadFrameError: says what came, what was expected, and the remedy.
    :raises CutImageError: which is one, if the fields fit each other, and data are missing.
    """
    kind = _encoding(encoding)
    if width <= 0 or height <= 0:
        raise BadFrameError(
            f'image of {width}x{height} pixels: both must be positive; check the camera driver'
        )
    try:
        check_pixels(width, height, max_pixels)
    except BadFrameError as error:
        raise BadFrameError(f"'{encoding}' image {error}") from error
    if encoding in _PAIRS and (width % 2 or (encoding == 'nv12' and height % 2)):
        raise BadFrameError(
            f"'{encoding}' image of {width}x{height} pixels: pixels share colours in pairs, so "
            f'an even size is expected; crop the image, or publish rgb8'
        )
    row = width * kind.bits // 8
    if step < row or (kind.depth == 16 and step % 2):
        raise BadFrameError(
            f"step is {step} bytes; a row of {width} pixels '{encoding}' needs at least {row}; "
            f"correct the publisher's step or encoding"
        )
    # The padding of the last row may be left out.
    expected = step * (_rows(encoding, height) - 1) + row
    if size < expected:
        raise CutImageError(
            f"data has {size} bytes; {width}x{height} '{encoding}' with step {step} needs "
            f'{expected}: truncated in transport or recording; check the publisher or the link'
        )


def as_bytes(data: Buffer) -> NDArray[np.uint8]:
    """View data as a flat array of bytes."""
    if isinstance(data, np.ndarray):
        return data.reshape(-1).view(np.uint8)
    return np.frombuffer(data, np.uint8)


def decode_image(
    encoding: str, width: int, height: int, step: int, is_bigendian: bool | int, data: Buffer,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """
    Decode a raw image; padding at the end of rows is skipped.

    Values of 16 bits keep their upper byte. Unnamed channels (``8UC3``) are taken as BGR, as
    cv_bridge does.

    :returns: (H, W, 3), uint8, RGB; a copy.
    :raises BadFrameError: see :func:`check_image_layout`.
    """
    flat = as_bytes(data)
    check_image_layout(encoding, width, height, step, flat.size, max_pixels)
    kind, rows = _ENCODINGS[encoding], _rows(encoding, height)
    row = width * kind.bits // 8
    pixels = np.lib.stride_tricks.as_strided(flat, (rows, row), (step * flat.itemsize, 1))
    if kind.depth == 16:
        pixels = pixels[:, (0 if is_bigendian else 1)::2]
    image = np.ascontiguousarray(pixels)
    if kind.channels > 1:
        image = image.reshape(rows, width, kind.channels)
    if kind.code is None:
        return image.copy() if np.shares_memory(image, flat) else image
    try:
        return np.asarray(cv2.cvtColor(image, kind.code), np.uint8)
    except cv2.error as error:
        raise BadFrameError(
            f"{width}x{height} '{encoding}' image: OpenCV cannot convert it ({error.err}); "
            f'publish rgb8'
        ) from error
