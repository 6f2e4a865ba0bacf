"""MCAP files that a recorder left without an end, as when it was killed or the power failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import breakup_chunk, StreamReader
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
)

MAGIC = b'\x89MCAP0\r\n'
# Messages outside of chunks are gathered to stretches of so many bytes.
LOOSE_BYTES = 2 ** 20
FORMATS = {'ros2msg': MessageDefinitionFormat.MSG, 'ros2idl': MessageDefinitionFormat.IDL}


def is_unfinished(path: Path) -> bool:
    """Whether this is an MCAP file that has a beginning and no end."""
    if path.suffix != '.mcap':
        return False
    with path.open('rb') as file:
        begin = file.read(len(MAGIC))
        file.seek(max(0, path.stat().st_size - len(MAGIC)))
        return begin == MAGIC and file.read() != MAGIC


@dataclass
class Stretch:
    """
    Whole records of a file, a chunk mostly, that are read at once.

    :ivar start: first byte; ``end`` is behind the last.
    :ivar first_ns: earliest time of recording, ``last_ns`` the latest.
    """

    start: int
    end: int
    first_ns: int
    last_ns: int
    channels: set[int]


class UnfinishedMcap:
    """
    Reads an MCAP file without footer and index, up to where it is whole.

    The file is looked through once; of each chunk its place and times are kept, no message.

    :ivar connections: the topics, as rosbags lists them.
    :ivar start_time: earliest time of recording in nanoseconds, ``end_time`` behind the latest.
    :ivar missing: what is missing, in words.
    """

    def __init__(self, path: Path) -> None:
        """
        Look the file through.

        :raises ValueError: if there is no whole message.
        """
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._counts: dict[int, int] = {}
        self._stretches: list[Stretch] = []
        self._file = path.open('rb')
        try:
            whole = self._scan(path.stat().st_size)
            if not self._stretches:
                raise ValueError('ended before the first whole message')
        except BaseException:
            self._file.close()
            raise
        self.connections = [
            self._connection(channel) for channel in self._channels.values()
            if channel.schema_id in self._schemas and channel.message_encoding == 'cdr'
        ]
        self.start_time = min(stretch.first_ns for stretch in self._stretches)
        self.end_time = max(stretch.last_ns for stretch in self._stretches) + 1
        cut = path.stat().st_size - whole
        self.missing = (
            f'{path.name} has no end (the recorder was killed, or the copy is cut): its '
            f'{sum(self._counts.values())} whole messages are read'
            + (f', the last {cut} bytes are not' if cut else '')
        )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _scan(self, size: int) -> int:
        """Note what is where; returns how many bytes are whole."""
        reader = StreamReader(self._file, emit_chunks=True, record_size_limit=size)
        end = 0
        # A record that is cut or damaged fails anywhere in the parsers: there the file ends.
        with suppress(Exception):
            for record in reader.records:
                end = self._end_of(record, end)
        return end

    def _end_of(self, record: McapRecord, start: int) -> int:
        """Take down a record that begins at ``start``; returns where it ends."""
        end = self._file.tell()
        if isinstance(record, Chunk):
            self._take(breakup_chunk(record, validate_crc=True), start, end)
        else:
            self._take([record], start, end)
        return end

    def _take(self, records: Iterable[McapRecord], start: int, end: int) -> None:
        for record in records:
            if isinstance(record, Schema):
                self._schemas[record.id] = record
            elif isinstance(record, Channel):
                self._channels[record.id] = record
            elif isinstance(record, Message):
                self._count(record, start, end)

    def _count(self, message: Message, start: int, end: int) -> None:
        """Add a message to its stretch, or begin another."""
        time_ns, channel = message.log_time, message.channel_id
        self._counts[channel] = self._counts.get(channel, 0) + 1
        last = self._stretches[-1] if self._stretches else None
        if last is None or (start != last.start and end - last.start > LOOSE_BYTES):
            last = Stretch(start, end, time_ns, time_ns, set())
            self._stretches.append(last)
        last.end = end
        last.first_ns, last.last_ns = min(last.first_ns, time_ns), max(last.last_ns, time_ns)
        last.channels.add(channel)

    def _connection(self, channel: Channel) -> Connection:
        schema = self._schemas[channel.schema_id]
        return Connection(
            channel.id, channel.topic, schema.name,
            MessageDefinition(FORMATS.get(schema.encoding, MessageDefinitionFormat.NONE),
                              schema.data.decode()),
            '', self._counts.get(channel.id, 0),
            ConnectionExtRosbag2(channel.message_encoding, []), self,
        )

    def messages(
        self, connections: Iterable[Connection], start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """
        Read messages in the order of recording.

        :param start: earliest time of recording, ``stop``: time at which to stop; nanoseconds.
        :returns: (connection, time of recording, message).
        """
        wanted = {connection.id: connection for connection in connections}
        low, high = start or 0, self.end_time if stop is None else stop
        for stretch in self._stretches:
            if stretch.last_ns < low or stretch.first_ns >= high or (
                stretch.channels.isdisjoint(wanted)
            ):
                continue
            for message in self._read(stretch):
                if message.channel_id in wanted and low <= message.log_time < high:
                    yield wanted[message.channel_id], message.log_time, message.data

    def _read(self, stretch: Stretch) -> list[Message]:
        self._file.seek(stretch.start)
        messages: list[Message] = []
        for record in StreamReader(self._file, skip_magic=True, emit_chunks=True).records:
            inside = breakup_chunk(record) if isinstance(record, Chunk) else [record]
            messages += [one for one in inside if isinstance(one, Message)]
            if self._file.tell() >= stretch.end:
                break
        return sorted(messages, key=lambda message: message.log_time)
