"""The orientation that a picture carries for people (Exif), which OpenCV builds treat unalike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kinds import picture_kind
from .markers import APP1, segments
from .png import chunks

_TAG = 0x0112
_EXIF = b'Exif\0\0'


def _exif_blocks(data: memoryview) -> list[memoryview]:
    """Find the Exif data of a JPEG, PNG or WebP file."""
    kind = picture_kind(bytes(data[:64]))
    if kind == 'JPEG':
        found = [data[a:b] for marker, a, b in segments(data) if marker == APP1]
        return [block[6:] for block in found if block[:6] == _EXIF]
    if kind == 'PNG':
        return [data[a:b] for name, a, b in chunks(data) if name == b'eXIf']
    blocks, at = [], 12
    while kind == 'WebP' and at + 8 <= len(data):
        size = int.from_bytes(data[at + 4:at + 8], 'little')
        if data[at:at + 4] == b'EXIF':
            block = data[at + 8:at + 8 + size]
            blocks.append(block[6:] if block[:6] == _EXIF else block)
        at += 8 + size + size % 2
    return blocks


def _of_exif(block: memoryview) -> int:
    """Read the tag from the first directory of Exif data, which is a small TIFF file."""
    order = {b'II*\0': 'little', b'MM\0*': 'big'}.get(bytes(block[:4]))
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(block[at:at + size], 'little' if order == 'little' else 'big')

    directory = number(4, 4)
    for entry in range(number(directory, 2)):
        at = directory + 2 + 12 * entry
        if at + 12 > len(block):
            break
        if number(at, 2) == _TAG:
            return number(at + 8, 2)
    return 1


def orientation_of(data: memoryview) -> int:
    """
    Read how a picture is to be turned to be seen upright, see :func:`turn`.

    :returns: 1 to 8, as Exif counts; 1, as it is stored, where it does not say.
    """
    values = [_of_exif(block) for block in _exif_blocks(data)]
    return next((value for value in values if 2 <= value <= 8), 1)


def turn(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """
    Turn an image upright.

    :param image: (H, W, 3); 5 to 8 exchange width and height.
    :param orientation: 1 to 8, as Exif counts: 3 upside down, 6 and 8 quarter turns; 2, 4, 5
        and 7 are mirrored.
    """
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
