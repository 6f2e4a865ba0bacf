"""SQLite files of rosbag2, of any version of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
import sqlite3
from typing import Any

from ..limits import MAX_MESSAGE_BYTES
from .channels import Channel, type_name, wanted_of

# Begin a rollback journal that is in force, and a write-ahead log.
JOURNAL = b'\xd9\xd5\x05\xf9\x20\xa1\x63\xd7'
LOGS = (b'\x37\x7f\x06\x82', b'\x37\x7f\x06\x83')

# SQLITE_LIMIT_LENGTH: the most that one value may have.
LIMIT_LENGTH = 0
LAST_NS = 2 ** 63 - 2


class SqliteFile:
    """
    Reads the topics and messages of a database, and nothing else of it.

    rosbags 0.11 parses every definition there is, and asks that each be ``ros2msg`` and have its
    type hash.
    """

    is_finished = True

    def __init__(self, path: Path, name: str) -> None:
        """
        Open the database; it is not changed.

        :param name: of the recording, for messages.
        :raises ValueError: if it is no bag, or in the middle of a transaction.
        :raises sqlite3.Error: if it is damaged.
        """
        _refuse_hot(path)
        self.missing, self._name = _log_beside(path), name
        # Immutable: nothing is locked, and no file is made beside it.
        self._file = sqlite3.connect(f'{path.resolve().as_uri()}?immutable=1', uri=True)
        if hasattr(self._file, 'setlimit'):  # Python 3.11 and later
            self._file.setlimit(LIMIT_LENGTH, MAX_MESSAGE_BYTES)
        self._file.text_factory = lambda text: text.decode(errors='replace')
        try:
            tables = {row[0] for row in self._file.execute('SELECT name FROM sqlite_master')}
            if not {'topics', 'messages'} <= tables:
                raise ValueError('; '.join([
                    'an SQLite database without the tables topics and messages: it is of another '
                    'program, or nothing was recorded', *self.missing
                ]))
            self.channels: Sequence[Channel] = self._read_channels('message_definitions' in tables)
        except BaseException:
            self._file.close()
            raise

    def _read_channels(self, has_definitions: bool) -> list[Channel]:
        known = self._read_definitions() if has_definitions else {}
        rows = self._file.execute(
            'SELECT id, name, type, serialization_format FROM topics ORDER BY id'
        ).fetchall()
        return [
            Channel(number, str(topic), type_name(str(kind or ''), str(encoding)), str(encoding),
                    *known.get(kind, ('', '')))
            for number, topic, kind, encoding in rows
        ]

    def _read_definitions(self) -> dict[str, tuple[str, str]]:
        """Read how each type is defined; a damaged table counts as none."""
        query = ('SELECT topic_type, encoding, encoded_message_definition '
                 'FROM message_definitions ORDER BY id DESC')
        with suppress(sqlite3.DatabaseError):
            return {msgtype: (str(schema or ''), str(text or ''))
                    for msgtype, schema, text in self._file.execute(query)}
        return {}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def span_ns(self) -> tuple[int, int] | None:
        """Return the times of recording of the first message, and behind the last."""
        first, last = self._file.execute(
            'SELECT (SELECT MIN(timestamp) FROM messages), (SELECT MAX(timestamp) FROM messages)'
        ).fetchone()
        return None if first is None else (_time(first), _time(last) + 1)

    def count(self, topic: str, msgtype: str) -> int:
        """Count the messages of a topic."""
        ids = list(wanted_of(self.channels, {topic: msgtype}))
        marks = ','.join('?' * len(ids))
        (count,) = self._file.execute(
            f'SELECT COUNT(*) FROM messages WHERE topic_id IN ({marks})', ids
        ).fetchone()
        return int(count)

    def messages(
        self, topics: dict[str, str], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Channel, int, bytes]]:
        """Read messages in the order of recording, see :class:`~.channels.MessageSource`."""
        wanted = wanted_of(self.channels, topics)
        values = list(wanted)
        rest = f'FROM messages WHERE topic_id IN ({",".join("?" * len(values))})'
        if start is not None:
            rest, values = f'{rest} AND timestamp >= ?', [*values, start]
        if stop is not None:
            rest, values = f'{rest} AND timestamp < ?', [*values, stop]
        for number, time_ns, data in self._rows(f'{rest} ORDER BY timestamp, rowid', values):
            # A value that is no blob is no message; whoever parses it will say so.
            yield wanted[number], _time(time_ns), data if isinstance(data, bytes) else b''

    def _rows(self, rest: str, values: list[int]) -> Iterator[tuple[int, Any, Any]]:
        """Read rows; where a page is damaged, one by one, and those on it without data."""
        given = 0
        try:
            for row in self._file.execute(f'SELECT topic_id, timestamp, data {rest}', values):
                yield row
                given += 1
        except sqlite3.DatabaseError as error:
            # Messages are long: the page is most often one of the inside of a single one.
            rows = self._file.execute(f'SELECT topic_id, timestamp, rowid {rest}', values)
            places = rows.fetchall()[given:]
            text = f'{self._name} is damaged ({error}): what can be read of it is read'
            if text not in self.missing:
                self.missing.append(text)
        else:
            return
        for number, time_ns, place in places:
            yield number, time_ns, self._data(place)

    def _data(self, place: int) -> Any:
        try:
            return self._file.execute(
                'SELECT data FROM messages WHERE rowid = ?', [place]).fetchone()[0]
        except sqlite3.DatabaseError:
            return None


def _time(value: Any) -> int:
    """Take a time of recording; one that is no number sorts behind all others in SQLite."""
    return value if isinstance(value, int) else LAST_NS


def _refuse_hot(path: Path) -> None:
    """Refuse a database that was left in the middle of a transaction: its pages do not agree."""
    journal = path.with_name(path.name + '-journal')
    if not journal.is_file():
        return
    with journal.open('rb') as file:
        hot = file.read(len(JOURNAL)) == JOURNAL
    if hot:
        raise ValueError(
            f'its last transaction was not finished, see {journal.name}; let SQLite take it back '
            f"with sqlite3 {path.name} 'PRAGMA integrity_check', what was committed stays"
        )


def _log_beside(path: Path) -> list[str]:
    log = path.with_name(path.name + '-wal')
    if not log.is_file() or not log.stat().st_size:
        return []
    return [
        f'what is in {log.name} alone is not read; merge it with '
        f"sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'"
    ]
