"""The size that a picture's header claims, read before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
import re

from ..limits import MAX_FRAME_ID_LETTERS, MAX_PIXELS, MAX_SCANS
from ..types import BadFrameError
from .markers import segments, SOS

# Where a frame begins in a JPEG: of every way to code it.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITH_CONTENT = frozenset(range(0xC0, 0xFF)) - frozenset(range(0xD0, SOS))
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
Size = tuple[int, int]


def frame_header(data: memoryview) -> tuple[int, int]:
    """
    Find the frame header of a JPEG: its marker, which says how it is coded, and where it begins.

    :returns: zeros if there is none before the coded data.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] in _WITH_CONTENT:
        if data[at + 1] in _FRAMES:
            return data[at + 1], at + 4
        if data[at + 1] == SOS:
            return 0, 0
        at += 2 + int.from_bytes(data[at + 2:at + 4], 'big')
    for marker, begin, _ in segments(data):  # there are other bytes between the segments
        if marker in _FRAMES:
            return marker, begin
        if marker == SOS:
            break
    return 0, 0


def is_progressive(data: memoryview) -> bool:
    """Say whether a JPEG comes in several scans over its pixels."""
    return frame_header(data)[0] in _PROGRESSIVE


def _jpeg(data: memoryview) -> Size | None:
    marker, begin = frame_header(data)
    if not marker or begin + 5 > len(data):
        return None
    height, width = _big(data, begin + 1, 2), _big(data, begin + 3, 2)
    if marker in _PROGRESSIVE:
        scans = sum(found == SOS for found, _, _ in segments(data))
        if scans > MAX_SCANS:
            raise BadFrameError(
                f'is a JPEG of {scans} scans; at most {MAX_SCANS} are decoded: it is damaged, or '
                'made to keep its reader busy'
            )
    return width, height


def _big(data: memoryview, at: int, count: int) -> int:
    return int.from_bytes(data[at:at + count], 'big')


def _little(data: memoryview, at: int, count: int) -> int:
    return int.from_bytes(data[at:at + count], 'little')


def _png(data: memoryview) -> Size | None:
    return (_big(data, 16, 4), _big(data, 20, 4)) if data[12:16] == b'IHDR' else None


def _bmp(data: memoryview) -> Size | None:
    if _little(data, 14, 4) == 12:  # the header of OS/2
        return _little(data, 18, 2), _little(data, 20, 2)
    height = int.from_bytes(data[22:26], 'little', signed=True)
    return _little(data, 18, 4), abs(height)


def _gif(data: memoryview) -> Size | None:
    return _little(data, 6, 2), _little(data, 8, 2)


def _webp(data: memoryview) -> Size | None:
    chunk = bytes(data[12:16])
    if chunk == b'VP8X':
        return _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
    if chunk == b'VP8L':
        bits = _little(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return (_little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF)


def _pnm(data: memoryview) -> Size | None:
    head = re.sub(rb'#[^\r\n]*', b'', bytes(data[:4096]))
    if head[:2] == b'P7':
        sides = [re.findall(rb'%s\s+(\d+)' % name, head) for name in (b'WIDTH', b'HEIGHT')]
        width, height = (max(map(int, found), default=0) for found in sides)
        return (width, height) if width and height else None
    plain = re.match(rb'P[1-6]\s+(\d+)\s+(\d+)\s', head)
    return (int(plain[1]), int(plain[2])) if plain else None


# Tags of TIFF: width and height of the picture, and of the tiles that it is cut into.
_SIZES, _TILES = (256, 257), (322, 323)


def _tiff(data: memoryview) -> Size | None:
    """Read a TIFF's first directory; of picture and tile the larger counts."""
    number = _little if data[:2] == b'II' else _big
    is_wide = number(data, 2, 2) == 43
    at = number(data, 8, 8) if is_wide else number(data, 4, 4)
    step, value, count_bytes = (20, 12, 8) if is_wide else (12, 8, 2)
    found: dict[int, int] = {}
    for entry in range(min(number(data, at, count_bytes), 4096)):
        tag_at = at + count_bytes + step * entry
        if tag_at + step > len(data):
            break
        width = {3: 2, 4: 4, 16: 8}.get(number(data, tag_at + 2, 2), 4)
        tag = number(data, tag_at, 2)
        found[tag] = max(found.get(tag, 0), number(data, tag_at + value, width))
    if any(tag not in found for tag in _SIZES):
        return None
    sizes = [(found.get(a, 0), found.get(b, 0)) for a, b in (_SIZES, _TILES)]
    return max(sizes, key=lambda size: size[0] * size[1])


# Not JPEG 2000: damaged data crash the decoder of OpenCV 4.11, and the process with it.
_READERS: dict[str, Callable[[memoryview], Size | None]] = {
    'JPEG': _jpeg, 'PNG': _png, 'BMP': _bmp, 'GIF': _gif, 'WebP': _webp, 'TIFF': _tiff,
    'PNM': _pnm,
}


def claimed_size(data: memoryview, kind: str | None) -> Size | None:
    """
    Read the size that a picture claims to have.

    :param kind: as :func:`~.kinds.picture_kind` names it.
    :returns: (width, height) in pixels; None where it is not known.
    :raises BadFrameError: for a picture whose scans are too many.
    """
    reader = _READERS.get(kind or '')
    return reader(data) if reader else None


def check_pixels(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """
    See that a picture is not larger than is taken.

    :raises BadFrameError: if it is, or claims to be.
    """
    if width * height > max_pixels:
        raise BadFrameError(
            f'claims {width}x{height} pixels, more than the {max_pixels} that are taken '
            '(max_pixels of the node); let the camera send smaller pictures'
        )


def check_frame_id(frame_id: str) -> None:
    """
    See that an image's frame_id is no longer than is taken: answers repeat it for each object.

    :raises BadFrameError: if it is.
    """
    if len(frame_id) > MAX_FRAME_ID_LETTERS:
        raise BadFrameError(
            f'its frame_id has {len(frame_id)} letters, and every detection repeats them; at '
            f'most {MAX_FRAME_ID_LETTERS} are taken: check the publisher'
        )


def check_claim(data: memoryview, kind: str | None, max_pixels: int = MAX_PIXELS) -> None:
    """
    See that a picture says how large it is, and is not larger than is taken.

    :raises BadFrameError: if not; then nothing must be decoded.
    """
    size = claimed_size(data, kind)
    if size is None and kind in _READERS:
        raise BadFrameError(f'is a {kind} without its size: truncated or damaged')
    if size is None:
        what = f'it is {kind}' if kind else 'its kind is unknown'
        raise BadFrameError(
            f'cannot be decoded: {what}; expected JPEG or PNG: truncated in transport or '
            'recording, or another format'
        )
    check_pixels(*size, max_pixels)
