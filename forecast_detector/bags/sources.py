"""What a bag's messages are read from: a finished bag, a file, or what a crash left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from .finding import recording_files
from .unfinished import is_unfinished, UnfinishedMcap

# Begins a rollback journal of SQLite that is in force.
JOURNAL = b'\xd9\xd5\x05\xf9\x20\xa1\x63\xd7'


class Source(Protocol):
    """Messages by time of recording; :class:`rosbags.rosbag2.Reader` is one."""

    @property
    def connections(self) -> list[Connection]:
        """List the topics."""

    @property
    def start_time(self) -> int:
        """Earliest time of recording, nanoseconds."""

    @property
    def end_time(self) -> int:
        """Behind the latest time of recording, nanoseconds."""

    def messages(
        self, connections: Iterable[Connection], start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Read messages of some topics."""

    def close(self) -> None:
        """Let go of the files."""


class Parts:
    """The files of one recording, one after the other."""

    def __init__(self, sources: list[Source]) -> None:
        self._sources = sources
        by_topic: dict[str, Connection] = {}
        for connection in (c for source in sources for c in source.connections):
            known = by_topic.get(connection.topic)
            count = connection.msgcount + (known.msgcount if known else 0)
            by_topic[connection.topic] = (known or connection)._replace(msgcount=count)
        self.connections = list(by_topic.values())
        self.start_time = min(source.start_time for source in sources)
        self.end_time = max(source.end_time for source in sources)

    def messages(
        self, connections: Iterable[Connection], start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Read messages of some topics, file by file."""
        wanted = {connection.topic: connection for connection in connections}
        for source in self._sources:
            own = [c for c in source.connections if c.topic in wanted]
            for connection, time_ns, data in source.messages(own, start, stop) if own else ():
                yield wanted[connection.topic], time_ns, data

    def close(self) -> None:
        """Let go of the files."""
        for source in self._sources:
            source.close()


def open_source(path: Path) -> tuple[Source, str | None]:
    """
    Open a bag: a folder with ``metadata.yaml``, a file, or a folder that a crash left without.

    :returns: the source, and what is missing of the recording, in words.
    :raises ValueError: for a folder that is no recording.
    :raises Exception: of any kind, for a damaged file.
    """
    if not path.is_dir():
        return _open_file(path)
    if (path / 'metadata.yaml').is_file():
        return _opened(path), None
    return _open_parts(path)


def _open_parts(folder: Path) -> tuple[Source, str]:
    files = recording_files(folder)
    sources: list[Source] = []
    missing = ['it has no metadata.yaml (the recorder was killed)']
    try:
        for file in files:
            source, lacks = _open_file(file)
            sources.append(source)
            missing += [lacks] if lacks else []
    except BaseException:
        for source in sources:
            source.close()
        raise
    return Parts(sources), '; '.join(missing)


def _open_file(path: Path) -> tuple[Source, str | None]:
    if is_unfinished(path):
        source = UnfinishedMcap(path)
        return source, source.missing
    _refuse_hot(path)
    log = path.with_name(path.name + '-wal')
    missing = None
    if path.suffix == '.db3' and log.is_file() and log.stat().st_size:
        missing = (
            f'what is in {log.name} alone is not read; merge it with '
            f"sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'"
        )
    return _opened(path), missing


def _refuse_hot(path: Path) -> None:
    """Refuse a database that was left in the middle of a transaction: its pages do not agree."""
    journal = path.with_name(path.name + '-journal')
    if path.suffix != '.db3' or not journal.is_file():
        return
    with journal.open('rb') as file:
        hot = file.read(len(JOURNAL)) == JOURNAL
    if hot:
        raise ValueError(
            f'its last transaction was not finished, see {journal.name}; let SQLite take it back '
            f"with sqlite3 {path.name} 'PRAGMA integrity_check', what was committed stays"
        )


def _opened(path: Path) -> Reader:
    reader = Reader(path)
    reader.open()
    return reader
