"""Files of bags that outlive a crash: MCAP with checksums, SQLite that commits as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
import sqlite3
import time
from typing import TYPE_CHECKING

from mcap.writer import CompressionType
from mcap.writer import Writer as McapFile
from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

if TYPE_CHECKING:
    from rosbags.rosbag2.writer import StorageWriter

PROFILE, CHUNK_BYTES = 'ros2', 2 ** 20
# What is not committed is lost in a crash.
COMMIT_BYTES, COMMIT_S = 2 ** 24, 1.0


class McapStorage:
    """
    Storage of a :class:`RosbagWriter`, by the mcap library: rosbags writes no checksums.

    Chunks of a mebibyte, not compressed, each with its CRC.

    :ivar path: the file.
    """

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        """
        Begin the file in the bag's folder.

        :param compression: only ``NONE`` is known.
        """
        if compression is not CompressionMode.NONE:
            raise ValueError(f'compression {compression.name}: an MCAP is written without')
        self.path = path / f'{path.name}.mcap'
        self._file = self.path.open('xb')
        self._mcap = McapFile(self._file, CHUNK_BYTES, CompressionType.NONE)
        self._mcap.start(PROFILE)
        self._schemas: dict[str, int] = {}
        self._channels: dict[int, int] = {}

    def add_msgtype(self, connection: Connection) -> None:
        """Write the definition of a topic's type."""
        form = connection.msgdef.format
        encoding = 'ros2msg' if form == MessageDefinitionFormat.MSG else 'ros2idl'
        self._schemas[connection.msgtype] = self._mcap.register_schema(
            connection.msgtype, encoding, connection.msgdef.data.encode()
        )

    def add_connection(self, connection: Connection, offered_qos_profiles: str) -> None:
        """Write a topic, as rosbag2 does."""
        self._channels[connection.id] = self._mcap.register_channel(
            connection.topic, 'cdr', self._schemas[connection.msgtype],
            {'offered_qos_profiles': offered_qos_profiles,
             'topic_type_hash': connection.digest},
        )

    def write(self, connection: Connection, timestamp: int, data: bytes | memoryview) -> None:
        """Write a message; ``timestamp`` in nanoseconds."""
        self._mcap.add_message(
            self._channels[connection.id], timestamp, bytes(data), publish_time=timestamp
        )

    def close(self, version: int, metadata: str) -> None:
        """Write the bag's metadata, the index and the end."""
        self._mcap.add_metadata('rosbag2', {'serialized_metadata': metadata})
        self._mcap.finish()
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        with suppress(OSError):
            self._file.close()


class SqliteStorage(Sqlite3Writer):
    """Storage of a :class:`RosbagWriter`; rosbags' own commits nothing before the end."""

    def __init__(self, path: Path, compression: CompressionMode) -> None:
        """Begin the file in the bag's folder."""
        super().__init__(path, compression)
        self._pending, self._committed_s = 0, time.monotonic()

    def write(self, connection: Connection, timestamp: int, data: bytes | memoryview) -> None:
        """Write a message; ``timestamp`` in nanoseconds."""
        super().write(connection, timestamp, data)
        self._pending += len(data)
        now_s = time.monotonic()
        if self._pending > COMMIT_BYTES or now_s - self._committed_s > COMMIT_S:
            self.conn.commit()
            self._pending, self._committed_s = 0, now_s

    def abandon(self) -> None:
        """Let go of the file as it is; what is not committed is lost."""
        with suppress(sqlite3.Error):
            self.conn.close()


class RosbagWriter(Writer):
    """The writer of rosbags, with these files."""

    STORAGE_PLUGINS: Mapping[StoragePlugin, type[StorageWriter]] = {
        StoragePlugin.SQLITE3: SqliteStorage, StoragePlugin.MCAP: McapStorage,
    }
