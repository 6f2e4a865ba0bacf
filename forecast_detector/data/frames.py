"""Image files as frames, and the truth of a clip packed into arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images import decode_picture, orientation_of, picture_kind, turn
from ..types import BadFrameError
from .base import Truth

_logger = logging.getLogger(__name__)
_warned: set[Path] = set()
Size = tuple[float, float]


def _load(path: Path) -> memoryview:
    if not path.is_file():
        raise BadFrameError(f'{path}: no such image file; the annotations name it, so fetch it')
    try:
        return memoryview(path.read_bytes())
    except OSError as error:
        raise BadFrameError(
            f'{path}: cannot be read ({error.strerror}); fetch it again') from error


def read_image(
    path: Path, annotated_size: Size | None = None, size_binds: bool = True
) -> NDArray[np.uint8]:
    """
    Decode an image file, in the frame of reference of its annotations.

    A picture with an Exif orientation is turned, as people and most tools for annotation see it,
    unless its annotations say by their size that they are for the picture as it is stored.

    :param annotated_size: (width, height) that the annotations state for the picture, in pixels;
        None where they do not.
    :param size_binds: whether another size is an error; else it is a warning, one a folder,
        unless the picture has an Exif orientation.
    :returns: (H, W, 3), uint8, RGB.
    :raises BadFrameError: if it is missing, cut, damaged, cannot be decoded, or is of another
        size than the annotations are for; names the file.
    """
    data = _load(path)
    try:
        stored = decode_picture(data)
    except BadFrameError as error:
        raise BadFrameError(f'{path}: {error}; fetch or convert it again') from error
    orientation = orientation_of(data)
    image = turn(stored, orientation) if orientation > 1 else stored
    if fits(image, annotated_size):
        return image
    if fits(stored, annotated_size):
        return stored
    turned = f' ({size_text(stored)} before its Exif orientation)' if orientation > 1 else ''
    text = f'{path}: {size_mismatch(image, annotated_size, turned)}'
    if size_binds or turned:
        raise BadFrameError(text)
    if path.parent not in _warned:
        _warned.add(path.parent)
        _logger.warning('%s', text)
    return image


def stated_size(width: Any, height: Any) -> Size | None:
    """Give the size that annotations state; None where one is missing, 0 or no number."""
    if not all(isinstance(side, (int, float)) and side > 0 for side in (width, height)):
        return None
    return float(width), float(height)


def fits(image: NDArray[np.uint8], annotated_size: Size | None) -> bool:
    """Say whether an image has the size that its annotations state, if they do."""
    return annotated_size is None or (image.shape[1], image.shape[0]) == annotated_size


def size_text(image: NDArray[np.uint8]) -> str:
    """Write an image's size, as 640x480."""
    return f'{image.shape[1]}x{image.shape[0]}'


def size_mismatch(
    image: NDArray[np.uint8], annotated_size: Size | None, remark: str = ''
) -> str:
    """Say that an image is of another size than its annotations are for."""
    width, height = annotated_size or (0, 0)
    return (
        f'the picture has {size_text(image)} pixels{remark}, its annotations are for '
        f'{width:g}x{height:g}: the boxes would lie elsewhere; fetch the picture that was '
        f'annotated, or correct width and height in the annotations'
    )


def file_kind(data: bytes) -> str | None:
    """
    Tell an image file by its first bytes.

    :returns: ``jpeg``, ``png``, or None for another kind, or one that is to be shown turned
        (Exif): some readers turn it, some do not.
    """
    kind = {'JPEG': 'jpeg', 'PNG': 'png'}.get(picture_kind(data[:16]) or '')
    return kind if kind and orientation_of(memoryview(data)) == 1 else None


def read_encoded(path: Path) -> tuple[str, bytes] | None:
    """
    Read an image file without decoding it, see :meth:`~.base.Clip.encoded`.

    :raises OSError: if it cannot be read.
    """
    data = path.read_bytes()
    kind = file_kind(data)
    return (kind, data) if kind else None


def clip_boxes(
    boxes: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """
    Cut boxes at the image's border.

    :param boxes: (N, 4), xyxy in pixels.
    :param size: (width, height) of the image in pixels.
    :returns: the boxes, (N, 4), and which of them have an area left, (N,).
    """
    cut = np.clip(boxes, 0, np.array(size * 2, np.float32)).astype(np.float32)
    return cut, (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])


@dataclass(frozen=True)
class PackedTruth:
    """
    The truth of many frames in a few arrays, so that a million frames stay small.

    :ivar starts: (frames + 1,); frame i owns the rows ``starts[i]:starts[i + 1]``.
    :ivar annotated: (frames,)
    :ivar crowds: frame to the boxes and labels of its crowds, where it has any.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    tracks: NDArray[np.int64]
    starts: NDArray[np.int64]
    annotated: NDArray[np.bool_]
    crowds: dict[int, tuple[NDArray[np.float32], NDArray[np.int64]]]

    @classmethod
    def pack(cls, truths: Iterable[Truth]) -> PackedTruth:
        """Join the frames' truths, in order."""
        truths = [Truth(), *truths]
        return cls(
            np.concatenate([t.boxes.reshape(-1, 4) for t in truths]).astype(np.float32),
            np.concatenate([t.labels for t in truths]).astype(np.int64),
            np.concatenate([t.tracks for t in truths]).astype(np.int64),
            np.cumsum([len(t) for t in truths]).astype(np.int64),
            np.array([t.annotated for t in truths[1:]], bool),
            {
                index: (t.crowd_boxes, t.crowd_labels)
                for index, t in enumerate(truths[1:]) if len(t.crowd_labels)
            },
        )

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> Truth:
        """Return a frame's truth (a view)."""
        rows = slice(self.starts[index], self.starts[index + 1])
        crowd = self.crowds.get(index, ())
        return Truth(
            self.boxes[rows], self.labels[rows], self.tracks[rows], bool(self.annotated[index]),
            *crowd,
        )
