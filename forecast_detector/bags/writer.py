"""Writing bags that standard tools read: images, detections, decisions, labels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
import sqlite3
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin

from ..types import Decision, Detections
from ..writing import not_written
from .closing import Closing
from .messages import (
    COMPRESSED_IMAGE,
    DECISION,
    default_typestore,
    DETECTIONS,
    IMAGE,
    LABEL_INFO,
    make_decision,
    make_detections,
    make_header,
    make_label_info,
)
from .storage import McapStorage, RosbagWriter, SqliteStorage

REST = 'what was written so far can be read'
Storage = Literal['mcap', 'sqlite3']
_NO_TIME = QosTime(0, 0)


def _qos(latched: bool) -> Qos:
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    return Qos(QosHistory.KEEP_LAST, 1 if latched else 10, QosReliability.RELIABLE, durability,
               _NO_TIME, _NO_TIME, QosLiveliness.AUTOMATIC, _NO_TIME, False)


class BagWriter(Closing):
    """
    A new bag. Use it in a ``with`` statement: leaving it writes index and metadata.

    Messages go to disk as they come; memory does not grow with the bag. A crash costs the last
    chunk of an MCAP (a mebibyte), the last second or 16 MiB of SQLite. The time of recording of
    a message is its stamp unless ``log_ns`` says otherwise.
    """

    def __init__(self, path: str | Path, storage: Storage = 'mcap') -> None:
        """
        Make the bag's folder.

        :param storage: ``mcap`` (with checksums) or ``sqlite3``; both carry the message
            definitions.
        :raises FileExistsError: if there is something at ``path``.
        :raises ValueError: for an unknown storage.
        """
        plugins = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
        if storage not in plugins:
            raise ValueError(f'storage: {storage!r} is none of {sorted(plugins)}')
        self.path = Path(path)
        if self.path.exists():
            raise FileExistsError(
                f'{self.path} exists; a bag is not written over another: remove it, or choose '
                f'another path'
            )
        self._writer = RosbagWriter(self.path, version=8, storage_plugin=plugins[storage])
        self._writer.open()
        self._connections: dict[str, Connection] = {}
        self._is_broken = False

    def close(self) -> None:
        """Write index and metadata; after that the bag can be read."""
        writer = self._writer
        if writer.storage is None:
            return
        if self._is_broken:
            self._abandon()
            return
        target = writer.metapath
        writer.metapath = target.with_name(f'.{target.name}.part')
        try:
            writer.close()  # which writes metadata before it has finished the file
            writer.metapath.replace(target)
        except (OSError, sqlite3.Error) as error:
            self._abandon()
            raise not_written(self.path, error, REST) from error
        finally:
            with suppress(OSError):
                writer.metapath.unlink(missing_ok=True)

    def _abandon(self) -> None:
        """Let go of the file as it is; without metadata it is read as far as it is whole."""
        storage, self._writer.storage = self._writer.storage, None
        if isinstance(storage, (McapStorage, SqliteStorage)):
            storage.abandon()

    def write(self, topic: str, msgtype: str, message: Any, log_ns: int) -> None:
        """
        Write any message of the standard types or of ours.

        :param log_ns: time of recording in nanoseconds.
        :raises ValueError: if the topic has another type already.
        """
        self.write_raw(
            topic, msgtype, default_typestore().serialize_cdr(message, msgtype), log_ns
        )

    def write_raw(
        self, topic: str, msgtype: str, data: bytes | memoryview, log_ns: int,
    ) -> None:
        """
        Write a message that is serialized already, such as one read from another bag.

        :raises ValueError: if the topic has another type already.
        """
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._writer.add_connection(
                topic, msgtype, typestore=default_typestore(),
                offered_qos_profiles=[_qos(latched=msgtype == LABEL_INFO)],
            )
            self._connections[topic] = connection
        if connection.msgtype != msgtype:
            raise ValueError(
                f'{self.path}: topic {topic} carries {connection.msgtype}, not {msgtype}; use '
                f'another topic'
            )
        try:
            self._writer.write(connection, log_ns, data)
        except (OSError, sqlite3.Error) as error:
            self._is_broken = True
            raise not_written(self.path, error, REST) from error

    def image(
        self, topic: str, image: NDArray[np.uint8], stamp_ns: int, frame_id: str = '',
        jpeg_quality: int | None = None, log_ns: int | None = None,
    ) -> None:
        """
        Write an image: raw ``rgb8``, or JPEG if a quality is given.

        :param image: (H, W, 3), uint8, RGB.
        :param jpeg_quality: 1 to 100 writes ``sensor_msgs/CompressedImage``.
        """
        header = make_header(stamp_ns, frame_id)
        log_ns = stamp_ns if log_ns is None else log_ns
        if jpeg_quality is not None:
            good, data = cv2.imencode(
                '.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality],
            )
            if not good:
                raise ValueError(f'image of shape {image.shape} cannot be written as JPEG')
            self.compressed(topic, data.tobytes(), 'jpeg', stamp_ns, frame_id, log_ns)
            return
        height, width = image.shape[:2]
        message = default_typestore().types[IMAGE](
            header=header, height=height, width=width, encoding='rgb8', is_bigendian=0,
            step=3 * width, data=np.ascontiguousarray(image).reshape(-1),
        )
        self.write(topic, IMAGE, message, log_ns)

    def compressed(
        self, topic: str, data: bytes, image_format: str, stamp_ns: int, frame_id: str = '',
        log_ns: int | None = None,
    ) -> None:
        """Write an image that is compressed already (``image_format``: ``jpeg``, ``png``)."""
        message = default_typestore().types[COMPRESSED_IMAGE](
            header=make_header(stamp_ns, frame_id), format=image_format,
            data=np.frombuffer(data, np.uint8),
        )
        self.write(topic, COMPRESSED_IMAGE, message, stamp_ns if log_ns is None else log_ns)

    def detections(
        self, topic: str, detections: Detections, labels: Sequence[str], stamp_ns: int,
        frame_id: str = '', tracks: Sequence[int | str] | None = None,
        log_ns: int | None = None,
    ) -> None:
        """
        Write the objects of one image, none included.

        :param labels: class names, by label index.
        :param tracks: identity of each object; -1 and '' are unknown.
        """
        ids = None if tracks is None else ['' if t in (-1, '') else str(t) for t in tracks]
        message = make_detections(detections, tuple(labels), make_header(stamp_ns, frame_id), ids)
        self.write(topic, DETECTIONS, message, stamp_ns if log_ns is None else log_ns)

    def decision(
        self, topic: str, decision: Decision, stamp_ns: int, frame_id: str = '',
        log_ns: int | None = None,
    ) -> None:
        """Write why an image was READ or FORECAST."""
        message = make_decision(decision, make_header(stamp_ns, frame_id))
        self.write(topic, DECISION, message, stamp_ns if log_ns is None else log_ns)

    def label_info(
        self, topic: str, labels: Sequence[str], threshold: float, stamp_ns: int,
        frame_id: str = '', log_ns: int | None = None,
    ) -> None:
        """Write the class names, latched."""
        message = make_label_info(tuple(labels), threshold, make_header(stamp_ns, frame_id))
        self.write(topic, LABEL_INFO, message, stamp_ns if log_ns is None else log_ns)
