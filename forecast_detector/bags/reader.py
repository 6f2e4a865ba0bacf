"""Reading bags: topics, messages, and images as frames that are decoded late."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
import sqlite3
from typing import Any

from rosbags.typesys.store import Typestore

from ..images import check_frame_id, decode_compressed, decode_image
from ..types import BadFrameError, Frame
from .channels import Channel, MessageSource
from .closing import Closing
from .finding import not_a_bag
from .messages import COMPRESSED_IMAGE, stamp_to_ns, typestore_of
from .record import BagError, MessageError, parsed, Record
from .sources import open_source, UnreadableError
from .topics import choose_types, IMAGE_TYPES, listing
from .unpacking import unpack_message, ZSTD

__all__ = [
    'BagError', 'BagReader', 'frame_from_message', 'IMAGE_TYPES', 'MessageError', 'parsed',
    'Record',
]


# MCAP has 64 bits without a sign for a time, everything else has one with a sign.
LATEST_NS = 2 ** 63 - 1


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
            check_frame_id(frame_id)
            return decode()
        except BadFrameError as error:
            raise BadFrameError(f'{where}: {error}') from error

    return Frame(stamp_ns, load, size, frame_id, encoding)


class BagReader(Closing):
    """
    One bag: a rosbag2 folder, or a file. Use it in a ``with`` statement.

    Messages are read one at a time; memory does not grow with the bag. Only topics that are asked
    for are parsed, by the definitions in the bag, or else :func:`~.messages.default_typestore`.
    What a killed recorder left (a folder without ``metadata.yaml``, an MCAP without an end) is
    read as far as it is whole.

    :ivar topics: the topics that have ROS 2 messages, and their types.
    """

    def __init__(self, path: str | Path) -> None:
        """
        Open a bag.

        :raises BagError: names the bag, what is wrong with it, and the remedy.
        """
        self.path = Path(path)
        self._source: MessageSource | None = None
        self._stores: dict[Channel, Typestore] = {}
        problem = not_a_bag(self.path)
        if problem:
            raise BagError(f'{self.path}: {problem}')
        try:
            self._source = open_source(self.path)
            self.topics, self._notes = choose_types(self._source.channels, self._source.count)
        except UnreadableError as error:
            raise BagError(f'{self.path}: {error}') from error
        except Exception as error:
            # A damaged file fails anywhere in the parsers, and not with one kind of error.
            self.close()
            raise self._broken(error) from error

    @property
    def missing(self) -> str | None:
        """Say what the recording lacks, as far as it is known by now; None if nothing."""
        return '; '.join([*self._open().missing, *self._notes]) or None

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
        if isinstance(error, sqlite3.Error):
            remedy = "record it again, or save what is left with '.recover' of sqlite3"
        elif (self.path / 'metadata.yaml').is_file():
            remedy = f'{remedy}; without its metadata.yaml, what is whole of an MCAP is read'
        return BagError(f'{self.path}: broken, truncated or not a bag ({text}); {remedy}')

    def _open(self) -> MessageSource:
        if self._source is None:
            raise RuntimeError(f'{self.path}: the bag is closed; open a new BagReader')
        return self._source

    def _type(self, topic: str) -> str:
        source = self._open()
        if topic not in self.topics:
            raise BagError(f'{self.path}: no topic {topic}; {listing(source.channels)}')
        return self.topics[topic]

    def of_type(self, *msgtypes: str) -> list[str]:
        """List the topics of these types, sorted."""
        return sorted(topic for topic, msgtype in self.topics.items() if msgtype in msgtypes)

    def image_topic(self, wanted: str | None = None) -> str:
        """
        Choose the image topic.

        :param wanted: its name; None takes the only one. A camera recorded both raw and
            compressed counts once, raw; topics without messages count where there is no other.
        :raises BagError: if it is not there, has no images, or there are several.
        """
        found = self.of_type(*IMAGE_TYPES)
        if wanted is not None:
            msgtype = self._type(wanted)
            if wanted not in found:
                raise BagError(
                    f'{self.path}: {wanted} is of type {msgtype}; an image topic is '
                    f'expected ({" or ".join(IMAGE_TYPES)}); there are {found}'
                )
            return wanted
        if not found:
            raise BagError(f'{self.path}: no image topic; {listing(self._open().channels)}')
        if len(found) > 1:
            found = [topic for topic in found if self.count(topic)] or found
        cameras = [t for t in found if t.rpartition('/')[0] not in found]
        if len(cameras) > 1:
            raise BagError(f'{self.path}: several image topics, {cameras}; name one')
        return cameras[0]

    def count(self, topic: str) -> int:
        """Return the number of messages of a topic, as the bag's index says."""
        source, msgtype = self._open(), self._type(topic)
        try:
            return source.count(topic, msgtype)
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def span_ns(self) -> tuple[int, int]:
        """Return the times of recording of the first message, and behind the last."""
        try:
            first_ns, end_ns = self._open().span_ns() or (0, 0)
        except sqlite3.Error as error:
            raise self._broken(error) from error
        return min(first_ns, LATEST_NS), min(end_ns, LATEST_NS)

    def _typestore(self, channel: Channel) -> Typestore:
        if channel not in self._stores:
            store = typestore_of(channel.msgtype, channel.schema, channel.definition)
            if store is None:
                raise BagError(
                    f'{self.path}: topic {channel.topic} has the unknown type {channel.msgtype}, '
                    f'and the bag carries no definition of it; record it as MCAP, which does'
                )
            self._stores[channel] = store
        return self._stores[channel]

    def records(
        self, topics: Sequence[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Record]:
        """
        Read the messages of some topics in the order of recording, not yet parsed.

        Those that were compressed one by one are unpacked.

        :param start_ns: earliest time of recording; None starts at the beginning.
        :param stop_ns: time of recording at which to stop; None goes on to the end.
        :raises BagError: if a topic is not there, or the bag is damaged.
        """
        wanted = {topic: self._type(topic) for topic in topics}
        try:
            for channel, time_ns, data in self._open().messages(wanted, start_ns, stop_ns):
                if data[:4] == ZSTD:  # no serialized message begins so
                    with suppress(ValueError):  # whoever parses it will say so
                        data = unpack_message(data)
                store = self._typestore(channel)
                yield Record(channel.topic, channel.msgtype, min(time_ns, LATEST_NS), data, store)
        except (BagError, GeneratorExit):
            raise
        except Exception as error:
            raise self._broken(error) from error

    def messages(
        self, topic: str, start_ns: int | None = None, stop_ns: int | None = None,
        on_broken: Callable[[Record, MessageError], None] | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """
        Read the messages of a topic in the order of recording, see :meth:`records`.

        :param on_broken: see :func:`parsed`.
        :returns: (time of recording in nanoseconds, message).
        """
        for record, message in parsed(self.records([topic], start_ns, stop_ns), on_broken):
            yield record.log_ns, message

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
