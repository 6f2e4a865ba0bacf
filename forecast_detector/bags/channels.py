"""What a recording's messages are read from, whatever the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
import re
from typing import Protocol


@dataclass(frozen=True, eq=False)
class Channel:
    """
    Messages of one topic in one file; a file may have several channels of a topic.

    :ivar msgtype: name of their type, as ROS 2 says it: ``sensor_msgs/msg/Image``.
    :ivar encoding: how they are serialized; ``cdr`` is ROS 2.
    :ivar schema: how the definition of the type is written: ``ros2msg``, ``ros2idl``, another.
    :ivar definition: of the type, not parsed; '' if the file has none.
    """

    id: int
    topic: str
    msgtype: str
    encoding: str
    schema: str
    definition: str

    @property
    def is_ros2(self) -> bool:
        """Whether the messages can be read, as far as the file says what they are."""
        return self.encoding == 'cdr' and bool(self.msgtype)


def wanted_of(channels: Iterable[Channel], topics: dict[str, str]) -> dict[int, Channel]:
    """
    Choose the channels of topics, by their ids.

    :param topics: the topics that are wanted, and the type of each.
    """
    return {
        channel.id: channel for channel in channels
        if channel.is_ros2 and topics.get(channel.topic) == channel.msgtype
    }


class MessageSource(Protocol):
    """
    A file, or the files of one recording, one after the other.

    :ivar channels: all of them, readable or not.
    """

    channels: Sequence[Channel]

    @property
    def missing(self) -> list[str]:
        """Say what the recording lacks, as far as it is known by now, in words."""

    def span_ns(self) -> tuple[int, int] | None:
        """Return the times of recording of the first message, and behind the last."""

    def count(self, topic: str, msgtype: str) -> int:
        """Return the number of messages of a topic that are of a type."""

    def messages(
        self, topics: dict[str, str], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Channel, int, bytes]]:
        """
        Read messages in the order of recording.

        :param topics: the topics that are wanted, and the type of each.
        :param start: earliest time of recording, ``stop``: time at which to stop; nanoseconds.
        :returns: (channel, time of recording, message).
        """

    def close(self) -> None:
        """Let go of the files."""


def type_name(name: str, encoding: str) -> str:
    """Write the name of a type as ROS 2 does; some writers leave the middle out."""
    if encoding == 'cdr' and re.fullmatch(r'\w+/\w+', name):
        return name.replace('/', '/msg/')
    return name
