"""Boxes cut at the border of their image, and the truth of a clip packed into arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .base import Truth


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
