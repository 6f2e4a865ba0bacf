"""Whether a picture has its end; nothing is decoded."""

from __future__ import annotations

from .kinds import picture_kind
from .markers import EOI, segments
from .picture import HEAD
from .png import chunks
from .raw import as_bytes, Buffer


def is_cut(data: Buffer) -> bool:
    """Whether a picture seems to lack its end (JPEG, PNG), or there is none at all."""
    flat = as_bytes(data).data
    if len(flat) == 0:
        return True
    kind = picture_kind(bytes(flat[:HEAD]))
    if kind == 'JPEG':
        return all(marker != EOI for marker, _, _ in segments(flat))
    return kind == 'PNG' and all(name != b'IEND' for name, _, _ in chunks(flat))
