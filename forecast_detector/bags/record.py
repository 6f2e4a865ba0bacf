"""Messages as they were recorded, and what is wrong with those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rosbags.typesys.store import Typestore

from .unpacking import unpack_message, ZSTD
from .whole import what_is_cut


class BagError(ValueError):
    """Raised when a bag cannot be read: missing, broken, truncated, without the topic."""


class MessageError(BagError):
    """
    Raised for one message that cannot be read; names its topic and time of recording.

    :ivar why: what is wrong with it.
    """

    def __init__(self, text: str, why: str = '') -> None:
        super().__init__(text)
        self.why = why


@dataclass(frozen=True)
class Record:
    """
    A message as it was recorded.

    :ivar log_ns: time of recording in nanoseconds.
    :ivar data: the message, serialized (CDR).
    """

    topic: str
    msgtype: str
    log_ns: int
    data: bytes
    store: Typestore

    def message(self) -> Any:
        """
        Parse it; arrays of numbers are views of ``data``.

        :raises MessageError: if it is not a message of its type, or an image that is cut.
        """
        try:
            if self.data[:4] == ZSTD:  # it was not unpacked: this says why
                unpack_message(self.data)
            message = self.store.deserialize_cdr(self.data, self.msgtype)
        except Exception as error:
            # rosbags asserts that a message ends where its fields do.
            reason = ' '.join(str(error).split()) or 'its fields do not fit its length'
            why = f'not a {self.msgtype}, in {len(self.data)} bytes: {reason}'
            raise MessageError(
                f'{self.topic} at {self.log_ns} ns: {why}: truncated, or recorded with another '
                f'definition; record it again', why
            ) from error
        lacks = what_is_cut(message, self.msgtype)
        if lacks:
            raise MessageError(f'{self.topic} at {self.log_ns} ns: {lacks}', lacks)
        return message


def parsed(
    records: Iterable[Record], on_broken: Callable[[Record, MessageError], None] | None = None
) -> Iterator[tuple[Record, Any]]:
    """
    Parse messages; one that cannot be read is passed over.

    :param on_broken: called with each of those; without it the first one raises.
    :raises MessageError: see ``on_broken``.
    """
    for record in records:
        try:
            message = record.message()
        except MessageError as error:
            if on_broken is None:
                raise
            on_broken(record, error)
            continue
        yield record, message
