"""What the bytes of a video file say where OpenCV says nothing: its codec, what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re
from typing import BinaryIO

from ..images import picture_kind

HEAD = 1 << 18  # bytes in which Matroska and AVI have named their codecs
_MOOV_LIMIT = 1 << 26
MATROSKA, SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'

# Codes of four characters, in small letters, and names of Matroska.
CODECS = {
    **dict.fromkeys(('av01', 'V_AV1'), 'AV1'),
    **dict.fromkeys(('hevc', 'hvc1', 'hev1', 'h265', 'V_MPEGH/ISO/HEVC'), 'HEVC, H.265'),
    **dict.fromkeys(('vvc1', 'vvi1', 'V_MPEGI/ISO/VVC'), 'VVC, H.266'),
    **dict.fromkeys(('h264', 'avc1', 'avc3', 'x264', 'V_MPEG4/ISO/AVC'), 'H.264'),
    **dict.fromkeys(('vp80', 'V_VP8'), 'VP8'), **dict.fromkeys(('vp90', 'vp09', 'V_VP9'), 'VP9'),
    **dict.fromkeys(('mp4v', 'fmp4', 'xvid', 'divx', 'dx50', 'V_MPEG4/ISO/ASP'), 'MPEG-4 Part 2'),
    **dict.fromkeys(('mjpg', 'jpeg', 'V_MJPEG'), 'Motion JPEG'),
    **dict.fromkeys(('apch', 'apcn', 'apcs', 'apco', 'ap4h', 'ap4x', 'V_PRORES'), 'ProRes'),
    **dict.fromkeys(('dvh1', 'dvhe', 'dva1', 'dvav'), 'Dolby Vision'),
    **dict.fromkeys(('ffv1', 'V_FFV1'), 'FFV1'), 'theo': 'Theora', 'V_THEORA': 'Theora',
    'evc1': 'EVC', 'apv1': 'APV',
}


def codec_name(code: str) -> str:
    """Name a codec by its code of four characters, or by what Matroska calls it."""
    name = CODECS.get(code) or CODECS.get(code.lower())
    return f'{name} ({code})' if name else repr(code)


def fourcc(value: float) -> str:
    """Spell the number that OpenCV gives for a codec; '' where it knows none."""
    code = (int(value) & 0xFFFFFFFF).to_bytes(4, 'little').strip(b'\0 ')
    return code.decode('latin-1') if code.isalnum() else ''


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Walk the outermost boxes of an MP4: type, where its content begins, where it ends."""
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, begin = int.from_bytes(head[:4], 'big'), at + 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16], 'big'), at + 16
        stop = at + size if size else end
        yield head[4:8], begin, stop
        if stop < begin:
            return
        at = stop


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """Read a size of Matroska: the number, None for one left open, and where it ends."""
    length = 9 - data[at].bit_length() if at < len(data) else 9
    if length > 8:
        return None, at + 1
    bits = int.from_bytes(data[at:at + length], 'big') & ((1 << 7 * length) - 1)
    return (None if bits == (1 << 7 * length) - 1 else bits), at + length


def _kind(head: bytes) -> str:
    if head[4:8] == b'ftyp':
        return 'mp4'
    if head[:4] == b'RIFF' and head[8:11] == b'AVI':
        return 'avi'
    return 'matroska' if head[:4] == MATROSKA else ''


def has_index(path: Path) -> bool:
    """Say whether the container counts its frames; others are judged by length and rate."""
    with path.open('rb') as file:
        return _kind(file.read(12)) in ('mp4', 'avi')


def bytes_missing(path: Path) -> int:
    """Count the bytes that the outermost parts of a container have by their sizes, and are not."""
    size = path.stat().st_size
    with path.open('rb') as file:
        head = file.read(4096)
        kind, end = _kind(head), 0
        if kind == 'mp4':
            end = max((stop for _, _, stop in _boxes(file, size)), default=0)
        elif kind == 'avi':
            end = 8 + int.from_bytes(head[4:8], 'little')
        elif kind == 'matroska':
            header, at = _vint(head, 4)
            at += header or 0
            if head[at:at + 4] == SEGMENT:
                segment, at = _vint(head, at + 4)
                end = at + segment if segment else 0
    return max(0, end - size)


def _moov(file: BinaryIO, size: int) -> bytes | None:
    for kind, begin, stop in _boxes(file, size):
        if kind == b'moov':
            file.seek(begin)
            return file.read(min(stop - begin, _MOOV_LIMIT))
    return None


def _video_codecs(file: BinaryIO, size: int) -> list[str] | None:
    """List the codecs of video that a container names; None of one that is not known."""
    head = file.read(HEAD)
    kind = _kind(head)
    if kind == 'mp4':
        tracks = (_moov(file, size) or b'').split(b'trak')[1:]
        found = [re.search(rb'stsd.{12}(.{4})', track, re.DOTALL)
                 for track in tracks if b'vide' in track]
    elif kind == 'avi':
        found = list(re.finditer(rb'strh.{4}vids(.{4})', head, re.DOTALL))
    elif kind == 'matroska':
        found = list(re.finditer(rb'\x86(?:[\x81-\xbf]|\x01\0{6}.)(V_[\w/]+)', head))
    else:
        return None
    return [match[1].decode('latin-1') for match in found if match]


def codec_code(path: Path) -> str:
    """Return the code of the codec that a container names; '' if it names none."""
    with path.open('rb') as file:
        return (_video_codecs(file, path.stat().st_size) or [''])[0]


def why_not_opened(path: Path) -> str:
    """Say why OpenCV could not open a file, and what to do."""
    size = path.stat().st_size
    if not size:
        return 'the file is empty (0 bytes); record or fetch it again'
    with path.open('rb') as file:
        if picture := picture_kind(file.read(64)):
            return (f'a still picture ({picture}) that OpenCV does not read here; convert it to '
                    'JPEG or PNG')
        file.seek(0)
        head = file.read(12)
        if _kind(head) == 'mp4' and _moov(file, size) is None:
            return ('an MP4 without its index (moov): a recording that was not finished, or a '
                    'download that was cut; fetch it again, or repair it (untrunc, say)')
        file.seek(0)
        codecs = _video_codecs(file, size)
    if codecs:
        return (f'OpenCV has no decoder here for its codec, {codec_name(codecs[0])}, or the file '
                f'is damaged; {convert_to_h264(path)}')
    if codecs is not None or head[:4] in (b'fLaC', b'OggS') or head[:3] == b'ID3' or (
            head[:4] == b'RIFF' and head[8:12] == b'WAVE'):
        return 'no video in it, sound at the most; give a file with pictures'
    return ('not a video that OpenCV can open (truncated, or an unknown codec); check that it '
            'plays, or convert it to H.264 mp4')


def convert_to_h264(path: Path) -> str:
    """Give the command that makes a file of it that any OpenCV reads, with the same stamps."""
    return (f'convert it: ffmpeg -i {path.name} -c:v libx264 -fps_mode passthrough '
            f'{path.stem}_h264.mp4')
