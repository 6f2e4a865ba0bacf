"""
The safetensors file that weights are in: its header compared with its bytes, and its digest.

The digest is SHA-256 over the header, without the digest itself and with its keys in order, and
over the bytes of all tensors. It stands in the header's metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

from .limits import MAX_RECORD_BYTES
from .types import WeightsError

DIGEST_KEY = 'forecast_detector.sha256'
METADATA = '__metadata__'
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Header:
    """
    What a file says of itself; no tensor is read for it.

    :ivar metadata: text by key; ``shapes``: of the tensors by name.
    :ivar end: where the tensors begin.
    """

    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    end: int
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Digests:
    """
    Of a whole file.

    :ivar file: SHA-256 of all its bytes, as ``sha256sum`` prints it.
    :ivar stated: what the file says its digest is; '' where it says nothing.
    :ivar found: what it is.
    """

    file: str
    stated: str
    found: str


def read_header(path: Path) -> Header:
    """
    Read the header of a file.

    :raises ValueError: if it has none, or claims one that is too large.
    """
    with path.open('rb') as file:
        length = int.from_bytes(file.read(8), 'little')
        if not 2 <= length <= MAX_RECORD_BYTES:
            raise ValueError(f'its header claims {length} bytes')
        data = file.read(length)
    if len(data) < length:
        raise ValueError(f'its header is cut: {len(data)} of {length} bytes')
    content = json.loads(data)
    try:
        metadata = content.pop(METADATA, {})
        shapes = {name: tuple(entry['shape']) for name, entry in content.items()}
        if not all(isinstance(value, str) for value in metadata.values()):
            raise TypeError('metadata')
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError('its header is none of safetensors') from error
    return Header(metadata, shapes, 8 + length, content)


def digests(path: Path) -> Digests:
    """
    Compute the digests of a file, block by block.

    :raises ValueError: if it has no header.
    """
    header = read_header(path)
    whole, own = hashlib.sha256(), hashlib.sha256(_canonical(header))
    with path.open('rb') as file:
        whole.update(file.read(header.end))
        for block in _blocks(file):
            whole.update(block)
            own.update(block)
    return Digests(whole.hexdigest(), header.metadata.get(DIGEST_KEY, ''), own.hexdigest())


def _blocks(file: BinaryIO) -> Any:
    return iter(lambda: file.read(BLOCK_BYTES), b'')


def _canonical(header: Header) -> bytes:
    metadata = {k: v for k, v in header.metadata.items() if k != DIGEST_KEY}
    return json.dumps([metadata, header.content], sort_keys=True).encode()


def seal(source: Path, target: Path) -> None:
    """
    Copy a file, its digest added; the bytes of its tensors stay as they are.

    :raises ValueError: if it has no header.
    """
    header = read_header(source)
    metadata = {**header.metadata, DIGEST_KEY: digests(source).found}
    text = json.dumps({METADATA: metadata, **header.content}, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)  # tensors begin at a multiple of eight
    with source.open('rb') as file, target.open('wb') as sealed:
        sealed.write(len(text).to_bytes(8, 'little') + text)
        file.seek(header.end)
        for block in _blocks(file):
            sealed.write(block)


def check_digest(path: Path, wanted: str = '') -> Digests:
    """
    See that a file is what it says, and what is wanted.

    :param wanted: SHA-256 of the file; '' takes any.
    :raises WeightsError: if not.
    """
    found = digests(path)
    if found.stated and found.stated != found.found:
        raise WeightsError(
            f'{path}: damaged: its digest is {found.found[:12]}, and {found.stated[:12]} when it '
            'was written; fetch it again'
        )
    if wanted and found.file != wanted.lower():
        raise WeightsError(
            f'{path}: weights_sha256 demands {wanted[:12]}..., and its SHA-256 is '
            f'{found.file[:12]}...: other weights; name the right file, or correct weights_sha256'
        )
    return found
