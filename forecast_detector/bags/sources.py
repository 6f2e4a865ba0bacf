"""Opening recordings: a file, or a folder with or without its metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import heapq
from pathlib import Path

from .channels import Channel, MessageSource
from .folders import list_parts, Parts
from .kinds import Kind, kind_of, why_not_read
from .mcap_file import McapFile
from .sqlite_file import SqliteFile
from .unpacking import unpack_file


class UnreadableError(ValueError):
    """Raised for a file that is whole and is not read: the message says what makes one of it."""


class PartSource:
    """The files of one recording, one after the other."""

    def __init__(self, sources: Sequence[MessageSource], missing: Sequence[str] = ()) -> None:
        self._sources, self._missing = sources, list(missing)
        self.channels: Sequence[Channel] = [
            channel for source in sources for channel in source.channels
        ]

    @property
    def missing(self) -> list[str]:
        """Say what the recording lacks, as far as it is known by now."""
        return [*self._missing, *(text for source in self._sources for text in source.missing)]

    def span_ns(self) -> tuple[int, int] | None:
        """Return the times of recording of the first message, and behind the last."""
        spans = [span for span in (source.span_ns() for source in self._sources) if span]
        if not spans:
            return None
        return min(first for first, _ in spans), max(last for _, last in spans)

    def count(self, topic: str, msgtype: str) -> int:
        """Return the number of messages of a topic that are of a type."""
        return sum(source.count(topic, msgtype) for source in self._sources)

    def messages(
        self, topics: dict[str, str], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Channel, int, bytes]]:
        """Read messages of some topics, file by file; files that overlap in time together."""
        for group in _overlapping(self._sources):
            if len(group) == 1:
                yield from group[0].messages(topics, start, stop)
                continue
            yield from heapq.merge(
                *(source.messages(topics, start, stop) for source in group),
                key=lambda message: message[1],
            )

    def close(self) -> None:
        """Let go of the files."""
        for source in self._sources:
            source.close()


def _overlapping(sources: Sequence[MessageSource]) -> list[list[MessageSource]]:
    """
    Order files by time, whatever their numbers say, and gather those that overlap.

    Files of one time keep their order.
    """
    if len(sources) < 2:
        return [list(sources)] if sources else []
    spans = [(span, source) for source in sources if (span := source.span_ns()) is not None]
    groups: list[list[MessageSource]] = []
    end_ns = 0
    for (first_ns, behind_ns), source in sorted(spans, key=lambda row: row[0][0]):
        if groups and first_ns < end_ns:
            groups[-1].append(source)
        else:
            groups.append([source])
        end_ns = max(end_ns, behind_ns) if len(groups[-1]) > 1 else behind_ns
    return groups


def open_source(path: Path) -> MessageSource:
    """
    Open a bag: a folder, finished or not, or a file.

    :raises UnreadableError: for a file of a kind that is not read.
    :raises ValueError: for a folder that is no recording.
    :raises Exception: of any kind, for a damaged file.
    """
    return _open_parts(list_parts(path)) if path.is_dir() else open_file(path)


def _open_parts(parts: Parts) -> MessageSource:
    """Open the files of a folder; those that cannot be used are named, if there are others."""
    sources: list[MessageSource] = []
    missing = list(parts.missing)
    failed: Exception | None = None
    try:
        for file in parts.files:
            try:
                source = open_file(file)
            except Exception as error:
                failed = failed or error
                text = ' '.join(str(error).split()) or type(error).__name__
                missing.append(f'{file.name} is not read: {text}')
                continue
            sources.append(source)
            if parts.is_finished and len(parts.files) == 1:
                _refuse_unfinished(source)
        if failed is not None and not sources:
            raise failed
    except BaseException:
        for source in sources:
            source.close()
        raise
    return PartSource(sources, missing)


def _refuse_unfinished(source: MessageSource) -> None:
    """Refuse what lacks its end although its metadata promise it."""
    if isinstance(source, McapFile) and not source.is_finished:
        raise ValueError('; '.join(source.missing))


def open_file(path: Path) -> MessageSource:
    """
    Open a file by what is in it, see :func:`open_source`.

    One that is compressed is unpacked to a temporary file that is gone with the last reader.
    """
    kind, name = kind_of(path), path.name
    if kind is Kind.ZSTD:
        unpacked, lacks = unpack_file(path)
        try:
            source = _open_as(kind_of(unpacked), unpacked, name)
        finally:
            unpacked.unlink()
        return PartSource([source], [lacks] if lacks else [])
    return _open_as(kind, path, name)


def _open_as(kind: Kind, path: Path, name: str) -> MessageSource:
    if kind is Kind.MCAP:
        return McapFile(path, name)
    if kind is Kind.SQLITE:
        return SqliteFile(path, name)
    why = why_not_read(path.with_name(name), kind)
    if why is not None:
        raise UnreadableError(why)
    raise ValueError(kind.value)
