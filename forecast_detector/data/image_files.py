"""Image files of data sets: decoded whole, in the frame of reference of their annotations."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images import decode_picture, orientation_of, picture_kind, turn
from ..types import BadFrameError

_logger = logging.getLogger(__name__)
_warned: set[Path] = set()
Size = tuple[float, float]


def _load(path: Path) -> memoryview:
    if not path.is_file():
        raise BadFrameError(f'{path}: no such image file; the annotations name it, so fetch it')
    try:
        return memoryview(path.read_bytes())
    except OSError as error:
        raise BadFrameError(
            f'{path}: cannot be read ({error.strerror}); fetch it again') from error


def read_image(
    path: Path, annotated_size: Size | None = None, size_binds: bool = True
) -> NDArray[np.uint8]:
    """
    Decode an image file, in the frame of reference of its annotations.

    A picture with an Exif orientation is turned, as people and most tools for annotation see it,
    unless its annotations say by their size that they are for the picture as it is stored.

    :param annotated_size: (width, height) that the annotations state for the picture, in pixels;
        None where they do not.
    :param size_binds: whether another size is an error; else it is a warning, one a folder,
        unless the picture has an Exif orientation.
    :returns: (H, W, 3), uint8, RGB.
    :raises BadFrameError: if it is missing, cut, damaged, cannot be decoded, or is of another
        size than the annotations are for; names the file.
    """
    data = _load(path)
    try:
        stored = decode_picture(data)
    except BadFrameError as error:
        raise BadFrameError(f'{path}: {error}; fetch or convert it again') from error
    orientation = orientation_of(data)
    image = turn(stored, orientation) if orientation > 1 else stored
    if fits(image, annotated_size):
        if annotated_size and orientation > 1 and fits(stored, annotated_size):
            _warn(path, f'{path}: its Exif orientation is {orientation}, and its size does not '
                  'tell whether its annotations are for the picture as shown or as stored: it is '
                  'turned; if boxes lie elsewhere, remove the orientation from the files')
        return image
    if fits(stored, annotated_size):
        return stored
    turned = f' ({size_text(stored)} before its Exif orientation)' if orientation > 1 else ''
    text = f'{path}: {size_mismatch(image, annotated_size, turned)}'
    if size_binds or turned:
        raise BadFrameError(text)
    _warn(path, text)
    return image


def _warn(path: Path, text: str) -> None:
    """Warn, once for all files of a folder."""
    if path.parent not in _warned:
        _warned.add(path.parent)
        _logger.warning('%s', text)


def stated_size(width: Any, height: Any) -> Size | None:
    """Give the size that annotations state, rounded; None where one is missing, 0 or no number."""
    try:
        sides = float(width), float(height)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(0 < side < 2 ** 31 for side in sides):
        return None
    return round(sides[0]), round(sides[1])


def fits(image: NDArray[np.uint8], annotated_size: Size | None) -> bool:
    """Say whether an image has the size that its annotations state, if they do."""
    return annotated_size is None or (image.shape[1], image.shape[0]) == annotated_size


def size_text(image: NDArray[np.uint8]) -> str:
    """Write an image's size, as 640x480."""
    return f'{image.shape[1]}x{image.shape[0]}'


def size_mismatch(
    image: NDArray[np.uint8], annotated_size: Size | None, remark: str = ''
) -> str:
    """Say that an image is of another size than its annotations are for."""
    width, height = annotated_size or (0, 0)
    return (
        f'the picture has {size_text(image)} pixels{remark}, its annotations are for '
        f'{width:g}x{height:g}: the boxes would lie elsewhere; fetch the picture that was '
        f'annotated, or correct width and height in the annotations'
    )


def file_kind(data: bytes) -> str | None:
    """
    Tell an image file by its first bytes.

    :returns: ``jpeg``, ``png``, or None for another kind, or one that is to be shown turned
        (Exif): some readers turn it, some do not.
    """
    kind = {'JPEG': 'jpeg', 'PNG': 'png'}.get(picture_kind(data[:16]) or '')
    return kind if kind and orientation_of(memoryview(data)) == 1 else None


def read_encoded(path: Path) -> tuple[str, bytes] | None:
    """
    Read an image file without decoding it, see :meth:`~.base.Clip.encoded`.

    :raises OSError: if it cannot be read.
    """
    data = path.read_bytes()
    kind = file_kind(data)
    return (kind, data) if kind else None
