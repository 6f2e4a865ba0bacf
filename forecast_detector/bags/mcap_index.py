"""Where the messages of an MCAP file are: by its summary if that is complete, else by a walk."""

from __future__ import annotations

from contextlib import suppress
import struct
from typing import BinaryIO

from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import ChunkIndex
from mcap.summary import Summary

from ..limits import MAX_MESSAGE_BYTES, MAX_RECORD_BYTES
from .kinds import MCAP_MAGIC
from .mcap_records import Contents, HEAD, MESSAGE, read_chunk, records_at, Stretch

ENDS = (Opcode.DATA_END, Opcode.FOOTER)
FOLLOWING = (Opcode.CHUNK, Opcode.MESSAGE_INDEX, Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE,
             Opcode.ATTACHMENT, Opcode.METADATA, Opcode.DATA_END)
# Times of the first and last message, with which a chunk begins.
SPAN = struct.Struct('<QQ')


def read_summary(file: BinaryIO, size: int) -> Contents | None:
    """
    Read where everything is from the end of a finished file.

    Every part of a summary may be left out, and some writers do: what is not complete is not
    used. Messages between the chunks are found, too.

    :returns: None if it does not tell everything.
    :raises Exception: of any kind, if it is damaged.
    """
    file.seek(0)
    summary = SeekingReader(file, record_size_limit=min(size, MAX_RECORD_BYTES)).get_summary()
    if summary is None or not _is_complete(summary):
        return None
    assert summary.statistics is not None
    contents = Contents(dict(summary.schemas), dict(summary.channels))
    at = len(MCAP_MAGIC)
    for chunk in sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset):
        if chunk.chunk_start_offset < at or not _is_there(file, chunk):
            return None
        _walk(file, at, chunk.chunk_start_offset, contents, False)
        contents.stretches.append(_stretch(chunk))
        at = chunk.chunk_start_offset + chunk.chunk_length + chunk.message_index_length
    if not _walk(file, at, size, contents, False)[1]:
        return None
    contents.counts = dict(summary.statistics.channel_message_counts)
    return contents


def _stretch(index: ChunkIndex) -> Stretch:
    start = index.chunk_start_offset
    return Stretch(
        start + HEAD.size, start + index.chunk_length, index.message_start_time,
        index.message_end_time, set(index.message_index_offsets) or None, True,
    )


def _is_there(file: BinaryIO, index: ChunkIndex) -> bool:
    """Whether there is a chunk where an index says so."""
    file.seek(index.chunk_start_offset)
    head = file.read(HEAD.size)
    return head == HEAD.pack(Opcode.CHUNK, index.chunk_length - HEAD.size)


def _is_complete(summary: Summary) -> bool:
    """Whether a summary names every chunk, channel and schema, and counts every message."""
    facts = summary.statistics
    if facts is None or facts.chunk_count != len(summary.chunk_indexes):
        return False
    needed = {channel.schema_id for channel in summary.channels.values()} - {0}
    return (
        facts.channel_count == len(summary.channels)
        and needed <= set(summary.schemas)
        and sum(facts.channel_message_counts.values()) == facts.message_count
    )


def walk(file: BinaryIO, size: int) -> tuple[Contents, int, bool]:
    """
    Walk through a file, up to where it is whole; of each chunk its place and times are kept.

    :returns: what is where, how many bytes are whole, and whether the end of the data was met.
    """
    contents = Contents()
    end, is_finished = _walk(file, len(MCAP_MAGIC), size, contents, True)
    return contents, end, is_finished


def _walk(
    file: BinaryIO, start: int, end: int, contents: Contents, opens_chunks: bool
) -> tuple[int, bool]:
    """Note what lies between two places; chunks are opened and checked, or passed over."""
    for opcode, at, until in records_at(file, start, end):
        if opcode in ENDS:
            return until, True
        try:
            _note(file, opcode, at, until, contents, opens_chunks)
        except Exception:
            # A record that is damaged fails anywhere in the parsers: there the file ends.
            if opcode != Opcode.CHUNK or not _step_over(file, at, until, end, contents):
                return start, False
        start = until
    return start, False


def _step_over(file: BinaryIO, at: int, until: int, end: int, contents: Contents) -> bool:
    """
    Go on behind a damaged chunk, if another record follows; what seems whole in it is noted.

    Its own times are kept: those of its messages may be chance bytes.

    :returns: False if nothing follows that makes sense: the file was cut, or filled with zeros.
    """
    following = next(records_at(file, until, end), None)
    if following is None or following[0] not in FOLLOWING:
        return False
    before = len(contents.stretches)
    with suppress(Exception):
        contents.take_chunk(read_chunk(file, at, until), at, until)
    del contents.stretches[before:]
    file.seek(at)
    first_ns, last_ns = SPAN.unpack(file.read(SPAN.size))
    contents.stretches.append(Stretch(at, until, first_ns, last_ns, None, True))
    return True


def _note(
    file: BinaryIO, opcode: int, at: int, until: int, contents: Contents, opens_chunks: bool
) -> None:
    if opcode == Opcode.CHUNK and opens_chunks:
        contents.take_chunk(read_chunk(file, at, until, validate=True), at, until)
    elif opcode == Opcode.MESSAGE:
        if until - at > MAX_MESSAGE_BYTES:
            raise ValueError(f'a message of {until - at} bytes')
        file.seek(at)
        channel, _, time_ns, _ = MESSAGE.unpack(file.read(MESSAGE.size))
        contents.take_message(channel, time_ns, at - HEAD.size, until)
    elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
        if until - at > MAX_RECORD_BYTES:
            raise ValueError(f'a definition of {until - at} bytes')
        file.seek(at)
        contents.take_definition(opcode, file.read(until - at))
