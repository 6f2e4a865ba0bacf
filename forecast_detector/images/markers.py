"""The markers of a JPEG (ITU-T T.81, annex B): its segments, its end, its restart intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..types import BadFrameError

SOI, EOI, SOS, APP1 = 0xD8, 0xD9, 0xDA, 0xE1
RESTARTS = range(0xD0, 0xD8)


def segments(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """
    Walk the markers of a JPEG from its beginning; what a segment holds is stepped over.

    A thumbnail in the Exif segment is thus no part of the walk, and neither is what stands
    behind the end. Where the data are cut, the walk stops without an end.

    :returns: (marker, where its content begins, where that ends). The content of a ``SOS`` is
        its coded data; the restart markers in there follow it, one by one.
    """
    raw = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(raw[:-1] == 0xFF) + 1
    # In coded data 0xff is followed by 0, by a restart marker, or else by the next segment's.
    places = places[(raw[places] != 0) & (raw[places] != 0xFF)]
    at = 2
    while (next_place := int(np.searchsorted(places, at))) < len(places):
        begin = int(places[next_place]) + 1
        marker = int(raw[begin - 1])
        at = begin
        if marker == EOI or marker in RESTARTS:
            yield marker, begin, begin
        if marker == EOI:
            return
        if marker in (0x01, SOI) or marker in RESTARTS:  # without content
            continue
        at = begin + int.from_bytes(data[begin:begin + 2], 'big')
        if at < begin + 2 or at > len(data):
            return
        if marker != SOS:
            yield marker, begin + 2, at
            continue
        after = int(np.searchsorted(places, at))
        yield marker, at, int(places[after]) - 1 if after < len(places) else len(data)


def check_markers(data: memoryview) -> None:
    """
    See that a JPEG has its end, and its restart markers in their order.

    :raises BadFrameError: if not; says which.
    """
    marker, expected = None, 0
    for marker, _, _ in segments(data):
        if marker == SOS:
            expected = 0
        elif marker in RESTARTS:
            if marker != RESTARTS[expected]:
                raise BadFrameError(
                    'is a JPEG that lost bytes in its middle (a restart marker is missing)')
            expected = (expected + 1) % len(RESTARTS)
    if marker != EOI:
        raise BadFrameError('is a JPEG without end: truncated')
