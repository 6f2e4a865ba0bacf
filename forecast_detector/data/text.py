"""Text files as other tools write them: byte order marks read, other encodings named."""

from __future__ import annotations

import codecs
from pathlib import Path

# The longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, 'utf-8'),
    (codecs.BOM_UTF32_LE, 'utf-32-le'), (codecs.BOM_UTF32_BE, 'utf-32-be'),
    (codecs.BOM_UTF16_LE, 'utf-16-le'), (codecs.BOM_UTF16_BE, 'utf-16-be'),
)


def marked_encoding(data: bytes) -> tuple[str, int] | None:
    """
    Find out what a byte order mark says.

    :returns: the encoding, and how many bytes the mark has; None without a mark.
    """
    return next(((name, len(mark)) for mark, name in _MARKS if data.startswith(mark)), None)


def read_text(path: str | Path) -> str:
    """
    Read a text file: UTF-8, or what its byte order mark says; the mark is left out.

    :raises ValueError: for another encoding; names the file, the place and the remedy.
    """
    return decode_text(Path(path).read_bytes(), path)


def decode_text(data: bytes, path: str | Path) -> str:
    """
    Decode what :func:`read_text` reads.

    :param path: to be named in the error.
    """
    encoding, skip = marked_encoding(data) or ('utf-8', 0)
    if not skip and b'\0' in data[:4096]:
        raise ValueError(
            f'{path}: not UTF-8 text: there are zero bytes in it, as in binary files or UTF-16 '
            f'without a byte order mark; expected text: save it as UTF-8'
        )
    try:
        return data[skip:].decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(_fault(data, skip + error.start, encoding, path)) from error


def _fault(data: bytes, at: int, encoding: str, path: str | Path) -> str:
    if encoding != 'utf-8':
        return (f'{path}: its byte order mark says {encoding.upper()}, which it is not (byte '
                f'{at}); save it as UTF-8')
    return (
        f'{path}: not UTF-8 text (byte 0x{data[at]:02X} in line {data.count(10, 0, at) + 1}); it '
        f'is in another encoding, Latin-1 or Windows-1252, say: save it as UTF-8 '
        f'(iconv -f WINDOWS-1252 -t UTF-8)'
    )
