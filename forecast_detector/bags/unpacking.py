"""
What is compressed: whole files, which are unpacked to disk, chunks, and single messages.

What data claim to unpack to is bounded, and so is what comes, whatever was claimed.
"""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path
import shutil
import tempfile
from typing import BinaryIO

# They come with rosbags and mcap.
import lz4.frame
import zstandard

from ..limits import MAX_CHUNK_BYTES, MAX_MESSAGE_BYTES, MAX_PACKING

ZSTD = b'\x28\xb5\x2f\xfd'
BLOCK_BYTES = 2 ** 20
# Left free on the disk that is unpacked to; it is asked again after so many blocks.
SPARE_BYTES, ASK_BLOCKS = 2 ** 28, 64


def first_bytes(path: Path, count: int) -> bytes:
    """
    Unpack the beginning of a file.

    :returns: less, or nothing, if it is damaged.
    :raises OSError: if it cannot be read.
    """
    with path.open('rb') as file, suppress(zstandard.ZstdError):
        return _reader(file).read(count)
    return b''


def _reader(file: BinaryIO) -> BinaryIO:
    reader: BinaryIO = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return reader


def unpack_message(data: bytes) -> bytes:
    """
    Unpack a message that was compressed by itself.

    :raises ValueError: if it is damaged, or larger than any message is.
    """
    return unpack_zstd(data, MAX_MESSAGE_BYTES)


def unpack_zstd(data: bytes, most: int) -> bytes:
    """
    Unpack a frame of zstd.

    :param most: bytes that it may become.
    :raises ValueError: if it is damaged, or becomes more.
    """
    try:
        size = zstandard.frame_content_size(data)
        if size > most:
            raise ValueError(f'compressed with zstd, and said to have {size} bytes')
        reader, parts = zstandard.ZstdDecompressor().stream_reader(data), bytearray()
        while block := reader.read(BLOCK_BYTES):
            parts += block
            if len(parts) > most:
                raise ValueError(f'compressed with zstd, and of more than {most} bytes')
    except zstandard.ZstdError as error:
        raise ValueError(f'compressed with zstd, and damaged: {error}') from error
    if len(parts) < size:
        raise ValueError(f'compressed with zstd, and cut: {len(parts)} of {size} bytes')
    return bytes(parts)


def unpack_lz4(data: bytes, most: int) -> bytes:
    """
    Unpack a frame of LZ4, see :func:`unpack_zstd`.

    :raises ValueError: if it is damaged, or becomes more.
    """
    reader = lz4.frame.LZ4FrameDecompressor()
    try:
        unpacked = reader.decompress(data, max_length=most + 1)
    except RuntimeError as error:
        raise ValueError(f'compressed with LZ4, and damaged: {error}') from error
    if len(unpacked) > most:
        raise ValueError(f'compressed with LZ4, and of more than {most} bytes')
    if not reader.eof:
        raise ValueError('compressed with LZ4, and cut')
    return unpacked


def unpack_file(path: Path) -> tuple[Path, str | None]:
    """
    Unpack a file to a temporary one; the caller removes it, which may be as soon as it is open.

    :returns: the temporary file, and what is missing if the file is cut or damaged, in words.
    :raises ValueError: if nothing can be unpacked, or the disk has no room for it.
    """
    with path.open('rb') as source:
        try:
            size = zstandard.frame_content_size(source.read(18))
        except zstandard.ZstdError as error:
            raise ValueError(f'compressed with zstd, and damaged: {error}') from error
        source.seek(0)
        most = max(MAX_CHUNK_BYTES, MAX_PACKING * os.fstat(source.fileno()).st_size)
        _check_packing(size, most)
        _check_room(path, max(size, 0))
        handle, name = tempfile.mkstemp(prefix='forecast-detector-')
        try:
            with open(handle, 'wb') as target:
                is_whole = _copy(path, source, target, most)
                count = target.tell()
            if not count:
                raise ValueError('compressed with zstd, and cut or damaged before its first block')
        except BaseException:
            os.unlink(name)
            raise
    if is_whole and count >= size:
        return Path(name), None
    return Path(name), f'{path.name} is cut or damaged: its first {count} bytes are unpacked'


def _copy(path: Path, source: BinaryIO, target: BinaryIO, most: int) -> bool:
    """Unpack block by block; returns False if damage ended it."""
    reader, blocks = _reader(source), 0
    try:
        while block := reader.read(BLOCK_BYTES):
            if blocks % ASK_BLOCKS == 0:
                _check_room(path, ASK_BLOCKS * BLOCK_BYTES)
            blocks += 1
            _check_packing(blocks * BLOCK_BYTES, most)
            target.write(block)
    except zstandard.ZstdError:
        return False
    return True


def _check_packing(size: int, most: int) -> None:
    if size > most:
        raise ValueError(
            f'compressed with zstd, and it unpacks to {MAX_PACKING} times its size or more, which '
            'no recording does: damaged, or made to fill the disk'
        )


def _check_room(path: Path, size: int) -> None:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free - SPARE_BYTES
    if size > free:
        raise ValueError(
            f'compressed with zstd, and unpacked it is too large for {folder} '
            f'({max(free, 0) / 1e9:.2f} GB to spare); name another folder with TMPDIR, or unpack '
            f'it yourself: zstd -d {path.name}'
        )
