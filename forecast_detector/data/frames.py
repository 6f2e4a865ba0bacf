"""Image files as frames, and the truth of a clip packed into arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import BadFrameError
from .base import Truth


def read_image(path: Path) -> NDArray[np.uint8]:
    """
    Decode an image file.

    :returns: (H, W, 3), uint8, RGB.
    :raises BadFrameError: if it is missing or cannot be decoded; names the file.
    """
    if not path.is_file():
        raise BadFrameError(f'{path}: no such image file; the annotations name it, so fetch it')
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise BadFrameError(f'{path}: cannot be decoded as an image; fetch or convert it again')
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def file_kind(data: bytes) -> str | None:
    """
    Tell an image file by its first bytes.

    :returns: ``jpeg``, ``png``, or None for another kind, or one that is to be shown turned
        (Exif): some readers turn it, some do not.
    """
    if data[:8] == b'\x89PNG\r\n\x1a\n':
        return 'png'
    return 'jpeg' if data[:3] == b'\xff\xd8\xff' and b'Exif' not in data[:64] else None


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
