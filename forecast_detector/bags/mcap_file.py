"""MCAP files, finished or not, whatever else is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
import os
from pathlib import Path

from mcap.opcode import Opcode
from mcap.stream_reader import CRCValidationError

from .channels import Channel, type_name, wanted_of
from .kinds import MCAP_MAGIC
from .mcap_index import read_summary, walk
from .mcap_records import Contents, MESSAGE, read_chunk, records_in, Stretch
from .merging import merge, Position

NAMED = 3


class McapFile:
    """
    Reads an MCAP file by its index, or without, up to where it is whole.

    The library's own readers want more than a camera's messages need: rosbags 0.11 the profile
    ``ros2``, definitions that it can parse for every topic, and message indexes; mcap 1.6 takes
    any summary for complete.

    :ivar is_finished: whether the file has its end.
    """

    def __init__(self, path: Path, name: str) -> None:
        """
        Open the file.

        :param name: of the recording, for messages.
        :raises ValueError: if it has no end, and no whole message either.
        """
        self._file = path.open('rb')
        self._faults: list[str] = []
        self._damage: dict[int, str] = {}
        try:
            self._open(name)
        except BaseException:
            self._file.close()
            raise
        self.channels: Sequence[Channel] = [
            _channel(self._contents, number) for number in self._contents.channels
        ]

    def _open(self, name: str) -> None:
        file, size = self._file, os.fstat(self._file.fileno()).st_size
        file.seek(max(0, size - len(MCAP_MAGIC)))
        has_end = size > 2 * len(MCAP_MAGIC) and file.read() == MCAP_MAGIC
        contents = None
        if has_end:
            with suppress(Exception):  # a damaged summary fails anywhere in the parsers
                contents = read_summary(file, size)
        self.is_finished = contents is not None
        if contents is None:
            contents, whole, is_complete = walk(file, size)
            self.is_finished = has_end and is_complete
            if not self.is_finished:
                self._tell_unfinished(name, contents, size - whole, has_end)
        self._contents: Contents = contents

    def _tell_unfinished(self, name: str, contents: Contents, cut: int, has_end: bool) -> None:
        if not contents.stretches:
            raise ValueError('ended before the first whole message')
        why = 'is damaged' if has_end else (
            'has no end (the recorder was killed, or the copy is cut)'
        )
        self._faults.append(
            f'{name} {why}: its {sum(contents.counts.values())} whole messages are read'
            + (f', the last {cut} bytes are not' if cut else '')
        )

    @property
    def missing(self) -> list[str]:
        """Say what the file lacks, as far as it is known by now."""
        more = len(self._damage) - NAMED
        return [*self._faults, *list(self._damage.values())[:NAMED],
                *([f'{more} more chunks are damaged'] if more > 0 else [])]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def span_ns(self) -> tuple[int, int] | None:
        """Return the times of recording of the first message, and behind the last."""
        stretches = self._contents.stretches
        if not stretches:
            return None
        return min(s.first_ns for s in stretches), max(s.last_ns for s in stretches) + 1

    def count(self, topic: str, msgtype: str) -> int:
        """Return the number of messages of a topic, as the index says."""
        return sum(self._contents.counts.get(number, 0)
                   for number in wanted_of(self.channels, {topic: msgtype}))

    def messages(
        self, topics: dict[str, str], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Channel, int, bytes]]:
        """Read messages in the order of recording, see :class:`~.channels.MessageSource`."""
        wanted = wanted_of(self.channels, topics)
        chosen = [
            stretch for stretch in self._contents.stretches
            if (start is None or stretch.last_ns >= start)
            and (stop is None or stretch.first_ns < stop)
            and (stretch.channels is None or not stretch.channels.isdisjoint(wanted))
        ]

        def places(number: int, data: bytes) -> list[Position]:
            return [
                place for place in self._places(chosen[number], number, data)
                if place.channel in wanted and (start is None or place.time_ns >= start)
                and (stop is None or place.time_ns < stop)
            ]

        firsts = [stretch.first_ns for stretch in chosen]
        for place, data in merge(firsts, lambda number: self._load(chosen[number]), places):
            yield wanted[place.channel], place.time_ns, data

    def _load(self, stretch: Stretch) -> bytes:
        """Read a stretch; damage is named once, and what can be unpacked is used."""
        if not stretch.is_chunk:
            self._file.seek(stretch.start)
            return self._file.read(stretch.end - stretch.start)
        try:
            return read_chunk(self._file, stretch.start, stretch.end, validate=True)
        except CRCValidationError as error:
            self._tell_damage(stretch, error)
            return read_chunk(self._file, stretch.start, stretch.end)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            self._tell_damage(stretch, error)
            return b''

    def _places(self, stretch: Stretch, number: int, data: bytes) -> Iterator[Position]:
        try:
            for opcode, at, until in records_in(data):
                if opcode != Opcode.MESSAGE:
                    continue
                channel, _, time_ns, _ = MESSAGE.unpack_from(data, at)
                # Chance bytes have any time.
                if stretch.start not in self._damage or (
                    stretch.first_ns <= time_ns <= stretch.last_ns
                ):
                    yield Position(time_ns, number, at + MESSAGE.size, until, channel)
        except Exception as error:
            self._tell_damage(stretch, error)

    def _tell_damage(self, stretch: Stretch, error: Exception) -> None:
        text = ' '.join(str(error).split()) or type(error).__name__
        self._damage.setdefault(stretch.start, (
            f'the chunk at byte {stretch.start} is damaged ({text}): of its messages, from '
            f'{stretch.first_ns} to {stretch.last_ns} ns, only what seems whole is read'
        ))


def _channel(contents: Contents, number: int) -> Channel:
    channel = contents.channels[number]
    schema = contents.schemas.get(channel.schema_id)
    if schema is None:
        return Channel(number, channel.topic, '', channel.message_encoding, '', '')
    return Channel(
        number, channel.topic, type_name(schema.name, channel.message_encoding),
        channel.message_encoding, schema.encoding, schema.data.decode(errors='replace'),
    )
