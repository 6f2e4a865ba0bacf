"""Records of an MCAP file, by the lower level of the ``mcap`` library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
import struct
from typing import BinaryIO, cast
import zlib

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Schema
from mcap.stream_reader import CRCValidationError

from ..limits import MAX_CHUNK_BYTES, MAX_RECORD_BYTES
from .unpacking import unpack_lz4, unpack_zstd

HEAD = struct.Struct('<BQ')
# Channel, sequence, times of recording and of publishing: what stands before a message.
MESSAGE = struct.Struct('<HIQQ')
# Messages outside of chunks are gathered to stretches of so many bytes.
LOOSE_BYTES = 2 ** 20


@dataclass
class Stretch:
    """
    A chunk, or messages outside of chunks, that are read at once.

    :ivar start: first byte; ``end`` is behind the last.
    :ivar first_ns: earliest time of recording, ``last_ns`` the latest.
    :ivar channels: of its messages; None if that is not known.
    """

    start: int
    end: int
    first_ns: int
    last_ns: int
    channels: set[int] | None
    is_chunk: bool


@dataclass
class Contents:
    """
    What is where in a file.

    :ivar counts: number of messages of each channel.
    """

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    stretches: list[Stretch] = field(default_factory=list)

    def take_definition(self, opcode: int, data: bytes) -> None:
        """Take a schema or channel down; other records are none of our concern."""
        _check_size('definition', len(data), MAX_RECORD_BYTES)
        stream = ReadDataStream(BytesIO(data))
        if opcode == Opcode.SCHEMA:
            schema = Schema.read(stream)
            self.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = Channel.read(stream)
            self.channels[channel.id] = channel

    def take_message(self, channel: int, time_ns: int, start: int, end: int) -> None:
        """Add a message outside of chunks to the stretch that it continues, or begin another."""
        last = self.stretches[-1] if self.stretches else None
        if last is None or last.is_chunk or last.end != start or end - last.start > LOOSE_BYTES:
            last = Stretch(start, end, time_ns, time_ns, set(), False)
            self.stretches.append(last)
        last.end = end
        self._count(last, channel, time_ns)

    def take_chunk(self, data: bytes, start: int, end: int) -> None:
        """Take down what is in a chunk, unpacked; nothing is kept of its messages."""
        stretch: Stretch | None = None
        for opcode, at, until in records_in(data):
            if opcode == Opcode.MESSAGE:
                channel, _, time_ns, _ = MESSAGE.unpack_from(data, at)
                if stretch is None:
                    stretch = Stretch(start, end, time_ns, time_ns, set(), True)
                    self.stretches.append(stretch)
                self._count(stretch, channel, time_ns)
            else:
                self.take_definition(opcode, data[at:until])

    def _count(self, stretch: Stretch, channel: int, time_ns: int) -> None:
        self.counts[channel] = self.counts.get(channel, 0) + 1
        stretch.first_ns = min(stretch.first_ns, time_ns)
        stretch.last_ns = max(stretch.last_ns, time_ns)
        if stretch.channels is not None:
            stretch.channels.add(channel)


def records_in(data: bytes) -> Iterator[tuple[int, int, int]]:
    """
    Walk over records in memory; the library's walk copies every message.

    :returns: opcode, and where the record's content begins and ends.
    :raises ValueError: if the last one is cut.
    """
    at = 0
    while at < len(data):
        opcode, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        if at + length > len(data):
            raise ValueError(f'a record of {length} bytes is cut')
        yield opcode, at, at + length
        at += length


def records_at(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Walk over whole records of a file, as :func:`records_in`; their contents are not read."""
    while start + HEAD.size <= end:
        file.seek(start)
        opcode, length = HEAD.unpack(file.read(HEAD.size))
        start += HEAD.size
        if start + length > end:
            return
        yield opcode, start, start + length
        start += length


class _Bounded:
    """A file of which no more is read than one record has, whatever lengths are in there."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._left = file, end - start
        file.seek(start)

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise ValueError('a length in it goes beyond its end')
        return self._file.read(size)


def read_chunk(file: BinaryIO, start: int, end: int, validate: bool = False) -> bytes:
    """
    Read and unpack a chunk.

    :param start: of its content; ``end`` is behind it.
    :raises Exception: of any kind, if it is damaged.
    """
    _check_size('chunk', end - start, MAX_CHUNK_BYTES)
    chunk = Chunk.read(ReadDataStream(cast(BinaryIO, _Bounded(file, start, end))))
    data = _unpacked(chunk)
    if validate and chunk.uncompressed_crc:
        found = zlib.crc32(data)
        if found != chunk.uncompressed_crc:
            raise CRCValidationError(chunk.uncompressed_crc, found, chunk)
    return data


def _unpacked(chunk: Chunk) -> bytes:
    size = chunk.uncompressed_size
    _check_size('unpacked chunk', size, MAX_CHUNK_BYTES)
    unpack = {'zstd': unpack_zstd, 'lz4': unpack_lz4}.get(chunk.compression)
    if unpack is not None:
        return unpack(chunk.data, size)
    if chunk.compression:
        raise ValueError(f'compressed with {chunk.compression[:20]!r}, which is not known')
    return chunk.data


def _check_size(what: str, size: int, most: int) -> None:
    """:raises ValueError: for more bytes than such a record ever has."""
    if size > most:
        raise ValueError(f'a {what} of {size} bytes; at most {most} are read')
