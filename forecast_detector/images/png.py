"""PNGs that lost bytes, known by their chunks (PNG specification, section 5)."""

from __future__ import annotations

from collections.abc import Iterator
import zlib

from ..types import BadFrameError


def chunks(data: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """
    Walk the chunks; where the data are cut, the walk stops.

    :returns: (name, where its content begins, where that ends).
    """
    at = 8
    while at + 12 <= len(data):
        size, name = int.from_bytes(data[at:at + 4], 'big'), bytes(data[at + 4:at + 8])
        end = at + 8 + size
        if end + 4 > len(data):
            return
        yield name, at + 8, end
        if name == b'IEND':
            return
        at = end + 4


def check_png(data: memoryview) -> None:
    """
    See that a PNG has its end, and that what makes its picture is as it was written.

    :raises BadFrameError: if not; says which.
    """
    name = b''
    for name, begin, end in chunks(data):
        # Names that begin with a capital are needed for the picture; others may be damaged.
        stated = int.from_bytes(data[end:end + 4], 'big')
        if name[:1].isupper() and zlib.crc32(data[begin - 4:end]) != stated:
            raise BadFrameError(f'is a damaged PNG (the checksum of {name!r} does not fit)')
    if name != b'IEND':
        raise BadFrameError('is a PNG without end: truncated')
