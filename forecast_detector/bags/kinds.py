"""What a file is, by its first bytes; its name only says what it was meant to be."""

from __future__ import annotations

from contextlib import closing
from enum import Enum
from pathlib import Path
import sqlite3
import stat

from .unpacking import first_bytes, ZSTD

SUFFIXES = ('.mcap', '.db3')
MCAP_MAGIC = b'\x89MCAP0\r\n'
HEAD_BYTES = 512
TAR_MAGIC, TAR_AT = b'ustar', 257


class Kind(Enum):
    """Kinds of files that are recordings, or that people make of them."""

    MCAP = 'an MCAP file'
    SQLITE = 'an SQLite database'
    ROS1 = 'a ROS 1 bag'
    ZSTD = 'compressed with zstd'
    GZIP = 'compressed with gzip'
    BZIP2 = 'compressed with bzip2'
    XZ = 'compressed with xz'
    LZ4 = 'compressed with lz4'
    ZIP = 'a ZIP archive'
    TAR = 'a tar archive'
    SEVEN_ZIP = 'a 7-Zip archive'
    RAR = 'a RAR archive'
    LFS = 'a pointer of Git LFS, not the file itself'
    EMPTY = 'an empty file'
    OTHER = 'neither MCAP nor SQLite'


MAGICS = {
    MCAP_MAGIC: Kind.MCAP, b'SQLite format 3\0': Kind.SQLITE, b'#ROSBAG V': Kind.ROS1,
    ZSTD: Kind.ZSTD, b'\x1f\x8b': Kind.GZIP, b'BZh': Kind.BZIP2, b'\xfd7zXZ\0': Kind.XZ,
    b'\x04\x22\x4d\x18': Kind.LZ4, b'PK\x03\x04': Kind.ZIP,
    b"7z\xbc\xaf'\x1c": Kind.SEVEN_ZIP, b'Rar!\x1a\x07': Kind.RAR,
    b'version https://git-lfs': Kind.LFS,
}
# Programs that take the compression away, and the suffixes that they give.
UNPACKERS = {
    Kind.ZSTD: 'zstd -d', Kind.GZIP: 'gzip -d', Kind.BZIP2: 'bzip2 -d', Kind.XZ: 'xz -d',
    Kind.LZ4: 'lz4 -d', Kind.ZIP: 'unzip', Kind.TAR: 'tar -xf', Kind.SEVEN_ZIP: '7z x',
    Kind.RAR: 'unrar x',
}
PACKED = ('.zstd', '.zst', '.gz', '.bz2', '.xz', '.lz4', '.zip', '.tar', '.7z', '.rar', '.active')
RECORDINGS = (Kind.MCAP, Kind.SQLITE, Kind.ROS1)


def kind_of_bytes(head: bytes) -> Kind:
    """Tell what begins so."""
    if not head:
        return Kind.EMPTY
    if head[TAR_AT:].startswith(TAR_MAGIC):
        return Kind.TAR
    return next((kind for magic, kind in MAGICS.items() if head.startswith(magic)), Kind.OTHER)


def no_file(path: Path) -> str | None:
    """
    Say what stands at a place that is neither a file nor a folder; None where one is.

    To open a pipe that nobody writes to is to wait for ever.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    special = (
        (stat.S_ISFIFO, 'a named pipe'), (stat.S_ISSOCK, 'a socket'),
        (stat.S_ISCHR, 'a device'), (stat.S_ISBLK, 'a device'),
    )
    found = next((name for is_one, name in special if is_one(mode)), None)
    return found and f'{found}, not a file; name the file that a recorder wrote'


def kind_of(path: Path) -> Kind:
    """
    Tell what a file is.

    :raises OSError: if it cannot be read.
    """
    special = no_file(path)
    if special:
        raise OSError(special)
    with path.open('rb') as file:
        return kind_of_bytes(file.read(HEAD_BYTES))


def kind_inside(path: Path) -> Kind:
    """
    Tell what a file is once it is unpacked.

    :raises OSError: if it cannot be read.
    """
    kind = kind_of(path)
    if kind is Kind.ZSTD:
        return kind_of_bytes(first_bytes(path, HEAD_BYTES))
    return kind


def bag_stem(path: Path) -> str:
    """Give the name of a recording without what its suffixes say."""
    name = path.name
    while Path(name).suffix.lower() in (*SUFFIXES, *PACKED, '.bag'):
        name = Path(name).stem
    return name


def is_named_so(path: Path) -> bool:
    """Whether a name is that of a recording, compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in (*SUFFIXES, '.bag')


def is_recording(path: Path) -> bool:
    """Whether a file is a recording, by its content, or was meant to be one, by its name."""
    if is_named_so(path):
        return True
    try:
        kind = kind_of(path)
        if kind is Kind.SQLITE:
            return has_bag_tables(path)
        return kind in RECORDINGS or (kind is Kind.ZSTD and kind_inside(path) in RECORDINGS)
    except OSError:
        return False


def has_bag_tables(path: Path) -> bool:
    """Whether an SQLite database has the tables of a bag."""
    try:
        with closing(sqlite3.connect(f'{path.resolve().as_uri()}?immutable=1', uri=True)) as file:
            rows = file.execute('SELECT name FROM sqlite_master WHERE type = "table"').fetchall()
    except sqlite3.Error:
        return False
    return {'topics', 'messages'} <= {name for name, in rows}


def why_not_read(path: Path, kind: Kind) -> str | None:
    """Say what a file is that is no recording we read, and what makes one of it."""
    if kind is Kind.ROS1:
        return (
            f'a ROS 1 bag; convert it: rosbags-convert --src {path.name} --dst '
            f'{bag_stem(path)}'
        )
    if kind in UNPACKERS and kind is not Kind.ZSTD:
        return f'{kind.value}; unpack it: {UNPACKERS[kind]} {path.name}'
    if kind is Kind.LFS:
        return f"{kind.value}; fetch that: git lfs pull --include '{path.name}'"
    if kind is Kind.EMPTY:
        return 'an empty file (0 bytes): nothing was written to it; remove it, or record again'
    return None
