"""Reading bags: topics, messages, and images as frames that are decoded late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.typesys.store import Typestore

from ..images import decode_compressed, decode_image
from ..types import BadFrameError, Frame
from .closing import Closing
from .finding import not_a_bag
from .messages import (
    COMPRESSED_IMAGE,
    default_typestore,
    embedded_typestore,
    IMAGE,
    stamp_to_ns,
)
from .sources import open_source, Source

IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)


class BagError(ValueError):
    """Raised when a bag cannot be read: missing, broken, truncated, without the topic."""


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

        :raises BagError: if it is not a message of its type.
        """
        try:
            return self.store.deserialize_cdr(self.data, self.msgtype)
        except Exception as error:
            raise BagError(
                f'{self.topic} at {self.log_ns} ns: not a {self.msgtype} '
                f'({" ".join(str(error).split())}): truncated, or '
                f'recorded with another definition; record it again'
            ) from error


def frame_from_message(message: Any, msgtype: str, where: str) -> Frame:
    """
    Wrap an image message; only a change of hands, nothing is checked or decoded.

    :param where: named in errors.
    :returns: a frame whose ``load`` raises :class:`BadFrameError` for an unusable image.
    """
    stamp_ns, frame_id = stamp_to_ns(message.header.stamp), message.header.frame_id
    if msgtype == COMPRESSED_IMAGE:
        def decode() -> Any:
            return decode_compressed(message.format, message.data)
        size, encoding = None, message.format
    else:
        def decode() -> Any:
            return decode_image(message.encoding, message.width, message.height, message.step,
                                message.is_bigendian, message.data)
        size, encoding = (message.width, message.height), message.encoding

    def load() -> Any:
        try:
            return decode()
        except BadFrameError as error:
            raise BadFrameError(f'{where}: {error}') from error

    return Frame(stamp_ns, load, size, frame_id, encoding)


class BagReader(Closing):
    """
    One bag: a rosbag2 folder, or an ``.mcap`` or ``.db3`` file. Use it in a ``with`` statement.

    Messages are read one at a time; memory does not grow with the bag. Their types come from
    the definitions in the bag, or else from :func:`~.messages.default_typestore`. What a killed
    recorder left (a folder without ``metadata.yaml``, an MCAP without an end) is read as far as
    it is whole.

    :ivar missing: what the recording lacks, in words; None if it was finished.
    """

    def __init__(self, path: str | Path) -> None:
        """
        Open a bag.

        :raises BagError: names the bag, what is wrong with it, and the remedy.
        """
        self.path = Path(path)
        self._source: Source | None = None
        self._stores: dict[str, Typestore] = {}
        problem = not_a_bag(self.path)
        if problem:
            raise BagError(f'{self.path}: {problem}')
        try:
            self._source, self.missing = open_source(self.path)
        except Exception as error:
            # A damaged file fails anywhere in the parsers, and not with one kind of error.
            raise self._broken(error) from error
        self.topics: dict[str, str] = {c.topic: c.msgtype for c in self._source.connections}

    def close(self) -> None:
        """Let go of the file."""
        source, self._source = self._source, None
        if source is not None:
            with suppress(Exception):
                source.close()

    def _broken(self, error: Exception) -> BagError:
        # One line, even where a parser shows where it stopped.
        text = ' '.join(str(error).split()) or type(error).__name__
        remedy = "record it again, or repair it with 'ros2 bag reindex' or 'mcap recover'"
        if (self.path / 'metadata.yaml').is_file():
            remedy = f'{remedy}; without its metadata.yaml, what is whole of an MCAP is read'
        return BagError(f'{self.path}: broken, truncated or not a bag ({text}); {remedy}')

    def _connections(self, topic: str) -> list[Connection]:
        if self._source is None:
            raise RuntimeError(f'{self.path}: the bag is closed; open a new BagReader')
        found = [c for c in self._source.connections if c.topic == topic]
        if not found:
            raise BagError(f'{self.path}: no topic {topic}; {self._listing()}')
        return found

    def _listing(self) -> str:
        lines = [f'{topic} ({msgtype})' for topic, msgtype in sorted(self.topics.items())]
        return 'the bag has ' + (', '.join(lines) if lines else 'no topics at all')

    def of_type(self, *msgtypes: str) -> list[str]:
        """List the topics of these types, sorted."""
        return sorted(topic for topic, msgtype in self.topics.items() if msgtype in msgtypes)

    def image_topic(self, wanted: str | None = None) -> str:
        """
        Choose the image topic.

        :param wanted: its name; None takes the only one. A camera recorded both raw and
            compressed counts once, raw.
        :raises BagError: if it is not there, has no images, or there are several.
        """
        found = self.of_type(*IMAGE_TYPES)
        if wanted is not None:
            self._connections(wanted)
            if wanted not in found:
                raise BagError(
                    f'{self.path}: {wanted} is of type {self.topics[wanted]}; an image topic is '
                    f'expected ({" or ".join(IMAGE_TYPES)}); there are {found}'
                )
            return wanted
        if not found:
            raise BagError(f'{self.path}: no image topic; {self._listing()}')
        cameras = [t for t in found if t.rpartition('/')[0] not in found]
        if len(cameras) > 1:
            raise BagError(f'{self.path}: several image topics, {cameras}; name one')
        return cameras[0]

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic, as the bag's index says."""
        return sum(c.msgcount for c in self._connections(topic))

    def span_ns(self) -> tuple[int, int]:
        """Return the times of recording of the first and the last message."""
        if self._source is None:
            raise RuntimeError(f'{self.path}: the bag is closed; open a new BagReader')
        return int(self._source.start_time), int(self._source.end_time)

    def _typestore(self, connection: Connection) -> Typestore:
        name = connection.msgtype
        if name not in self._stores:
            try:
                embedded = embedded_typestore(connection)
            except Exception:
                embedded = None
            store = embedded if embedded is not None else default_typestore()
            if name not in store.types:
                raise BagError(
                    f'{self.path}: topic {connection.topic} has the unknown type {name}, and the '
                    f'bag carries no definition of it; record it as MCAP, which does'
                )
            self._stores[name] = store
        return self._stores[name]

    def records(
        self, topics: Sequence[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Record]:
        """
        Read the messages of some topics in the order of recording, not yet parsed.

        :param start_ns: earliest time of recording; None starts at the beginning.
        :param stop_ns: time of recording at which to stop; None goes on to the end.
        :raises BagError: if a topic is not there, or the bag is damaged.
        """
        connections = [c for topic in topics for c in self._connections(topic)]
        assert self._source is not None
        try:
            for connection, time_ns, data in self._source.messages(
                connections, start_ns, stop_ns
            ):
                store = self._typestore(connection)
                yield Record(connection.topic, connection.msgtype, time_ns, data, store)
        except (BagError, GeneratorExit):
            raise
        except Exception as error:
            raise self._broken(error) from error

    def messages(
        self, topic: str, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[tuple[int, Any]]:
        """
        Read the messages of a topic in the order of recording, see :meth:`records`.

        :returns: (time of recording in nanoseconds, message).
        """
        for record in self.records([topic], start_ns, stop_ns):
            yield record.log_ns, record.message()

    def frames(self, topic: str) -> Iterator[Frame]:
        """
        Read an image topic as frames, in order, with the stamps of their headers.

        An image that cannot be used raises :class:`BadFrameError` when it is loaded, which
        leaves the iteration intact.
        """
        topic = self.image_topic(topic)
        for index, (_, message) in enumerate(self.messages(topic)):
            yield frame_from_message(
                message, self.topics[topic], f'{self.path} {topic} image {index}'
            )
