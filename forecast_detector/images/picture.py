"""Still pictures of any kind decoded, and refused where they are cut or damaged."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..limits import MAX_PIXELS
from ..types import BadFrameError
from .claimed import check_claim, claimed_size
from .jpeg import decode_jpeg, is_grey
from .kinds import picture_kind
from .png import check_png
from .quiet import quiet

HEAD = 64


def _by_opencv(data: memoryview, kind: str | None, flags: int) -> NDArray[Any]:
    if kind == 'PNG':
        check_png(data)
    try:
        with quiet():
            image = cv2.imdecode(
                np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # a damaged header that claims an absurd size
        image = None
    if image is not None:
        return np.asarray(image)
    if kind in ('JPEG', 'PNG'):
        raise BadFrameError(
            'cannot be decoded; expected JPEG or PNG: truncated in transport or recording, or '
            'another format'
        )
    raise BadFrameError(
        f'cannot be decoded: it is {kind}, truncated, or of a kind that OpenCV {cv2.__version__} '
        f'does not read here; expected JPEG or PNG'
    )


def pixels_claimed(data: memoryview) -> int:
    """Say how many pixels a picture claims to have; 0 where it is refused, or of no kind."""
    try:
        width, height = claimed_size(data, picture_kind(bytes(data[:HEAD]))) or (0, 0)
    except BadFrameError:
        return 0
    return width * height


def decode_picture(
    data: memoryview, swapped: bool = False, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """
    Decode a picture, its pixels as they are stored: an orientation (Exif) is left alone.

    :param swapped: whether red and blue are exchanged in it.
    :param max_pixels: one that claims more is refused before anything is allocated.
    :returns: (H, W, 3), uint8, RGB; alpha is left out, 16 bits keep their upper byte.
    :raises BadFrameError: if it is cut, damaged or of an unknown kind; the message is what the
        picture's name is put before.
    """
    kind = picture_kind(bytes(data[:HEAD]))
    check_claim(data, kind, max_pixels)
    if kind == 'JPEG':
        return decode_jpeg(data, 'BGR' if swapped else 'RGB')
    image = _by_opencv(data, kind, cv2.IMREAD_COLOR)
    return np.asarray(image if swapped else cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def decode_mosaic(
    data: memoryview, repeated: bool, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8] | None:
    """
    Decode a picture of one channel, as a Bayer mosaic has, see :func:`decode_picture`.

    :param repeated: whether the same grey in three channels is one, too.
    :returns: (H, W), uint8; None where it has colours.
    """
    kind = picture_kind(bytes(data[:HEAD]))
    check_claim(data, kind, max_pixels)
    if kind == 'JPEG':
        image: NDArray[Any] = decode_jpeg(data, 'GRAY' if is_grey(data) else 'RGB')
    else:
        image = _by_opencv(data, kind, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    if image.dtype == np.uint16:
        image = image >> 8
    image = image.reshape(*image.shape[:2], -1)
    if image.shape[2] > 1 and not (repeated and (image == image[..., :1]).all()):
        return None
    return np.ascontiguousarray(image[..., 0], np.uint8)
