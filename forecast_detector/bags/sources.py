"""What a bag's messages are read from: a finished bag, a file, or what a crash left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
import re
from typing import Protocol

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader

from .unfinished import is_unfinished, UnfinishedMcap

SUFFIXES = ('.mcap', '.db3')
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


def recording_files(folder: Path) -> list[Path]:
    """
    List the files of a folder without ``metadata.yaml`` that are one recording, in order.

    They are if there is only one ``.mcap`` or ``.db3``, or if all have the name of the folder
    and a number, as rosbag2 names the parts of a recording, and nothing lies deeper.

    :returns: none if it is not one recording.
    """
    entries = list(folder.iterdir())
    files = [entry for entry in entries if entry.is_file() and entry.suffix in SUFFIXES]
    if not files or any(entry.is_dir() for entry in entries):
        return []
    numbers = [re.fullmatch(re.escape(folder.name) + r'_(\d+)', file.stem) for file in files]
    if len(files) == 1:
        return files
    if not all(numbers) or len({file.suffix for file in files}) > 1:
        return []
    return sorted(files, key=lambda file: int(file.stem.rpartition('_')[2]))


def is_bag_folder(folder: Path) -> bool:
    """Whether a folder is a bag, finished or not; one that may not be read is none."""
    try:
        return (folder / 'metadata.yaml').is_file() or bool(recording_files(folder))
    except OSError:
        return False


def not_a_bag(path: Path) -> str | None:
    """Say why there can be no bag at a place, and what to do; None if there may be one."""
    if path.is_symlink() and not path.exists():
        return f'a link to {path.readlink()}, which is not there; mend or remove it'
    if not path.exists():
        return 'no such bag; check the path'
    if not path.is_dir() or is_bag_folder(path):
        return None
    if not any(path.iterdir()):
        return 'an empty folder, no bag; remove it, or record again'
    return (
        'not a bag: the folder has neither metadata.yaml nor the files of one recording; name '
        'a bag folder, an .mcap or a .db3 file in it'
    )


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
