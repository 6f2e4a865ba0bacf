"""Messages of chunks that overlap in time, in the order of recording, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
import heapq
from typing import NamedTuple

# Chunks of which messages are still to come are kept up to so many bytes, and read again else.
HELD_BYTES = 2 ** 28


class Position(NamedTuple):
    """
    Where a message is; places sort in the order of recording.

    :ivar chunk: number of its chunk.
    :ivar start: of its bytes in the chunk, ``end`` is behind the last.
    """

    time_ns: int
    chunk: int
    start: int
    end: int
    channel: int


class Held:
    """The bytes of chunks that have messages to come."""

    def __init__(self, load: Callable[[int], bytes]) -> None:
        self._load = load
        self._data: dict[int, bytes] = {}
        self._left: Counter[int] = Counter()
        self._bytes = 0

    def hold(self, chunk: int, data: bytes, messages: int) -> None:
        """Keep a chunk until so many of its messages were taken, or there is no room."""
        if messages:
            self._left[chunk] = messages
            self._keep(chunk, data)

    def take(self, place: Position) -> bytes:
        """Give the bytes of a message."""
        chunk = place.chunk
        if chunk not in self._data:
            self._keep(chunk, self._load(chunk))
        message = self._data[chunk][place.start:place.end]
        self._left[chunk] -= 1
        if not self._left[chunk]:
            self._drop(chunk)
        return message

    def _keep(self, chunk: int, data: bytes) -> None:
        while self._data and self._bytes + len(data) > HELD_BYTES:
            self._drop(next(iter(self._data)))
        self._data[chunk] = data
        self._bytes += len(data)

    def _drop(self, chunk: int) -> None:
        self._bytes -= len(self._data.pop(chunk))


def merge(
    firsts: Sequence[int], load: Callable[[int], bytes],
    places: Callable[[int, bytes], Sequence[Position]],
) -> Iterator[tuple[Position, bytes]]:
    """
    Read chunks when their time has come, and give their messages by time of recording.

    Messages of one time come in the order of the file.

    :param firsts: earliest time of recording in each chunk, in the order of the file.
    :param load: reads a chunk, by number.
    :param places: finds the wanted messages in it.
    """
    held, waiting = Held(load), list[Position]()
    for first_ns, chunk in sorted((first, number) for number, first in enumerate(firsts)):
        while waiting and waiting[0][:2] < (first_ns, chunk):
            place = heapq.heappop(waiting)
            yield place, held.take(place)
        data = load(chunk)
        found = places(chunk, data)
        held.hold(chunk, data, len(found))
        for place in found:
            heapq.heappush(waiting, place)
    while waiting:
        place = heapq.heappop(waiting)
        yield place, held.take(place)
