"""What every data set is to training and evaluation: clips with a truth a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..types import Frame


@dataclass(frozen=True)
class Truth:
    """
    The annotated objects of one frame.

    Crowds (COCO's ``iscrowd``) stand apart, so that nothing takes them for objects: they are no
    targets, have no speed and need not be found; a detection inside one counts neither way.

    :ivar boxes: (N, 4), float32, xyxy in image pixels.
    :ivar labels: (N,), int64, index into the data set's labels.
    :ivar tracks: (N,), int64, identity of the object within its clip; -1 is unknown.
    :ivar annotated: False for a frame that nobody annotated: it has no truth to score by, and
        that it has no boxes says nothing.
    :ivar crowd_boxes: (K, 4), as ``boxes``: regions of many objects that have no box each.
    :ivar crowd_labels: (K,), as ``labels``.
    """

    boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    tracks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    annotated: bool = True
    crowd_boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    crowd_labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        """Return the number of objects, without the crowds."""
        return len(self.labels)


class Clip(ABC):
    """
    Consecutive frames of one camera, in order.

    :ivar name: unique within the data set.
    :ivar fps: frames per second; stamps follow from it where the source has none.
    """

    name: str
    fps: float = 30.0

    @property
    def source(self) -> str:
        """Say where it comes from, for messages: its name, or the path of its bag."""
        return self.name

    @property
    def lacks(self) -> str | None:
        """Say what a recording lacks, and what is odd about it; None of anything else."""
        return None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of frames."""

    @property
    def expected(self) -> int | None:
        """Say about how many frames there are, for a progress bar; None where nobody knows."""
        return len(self)

    def walk(self) -> Iterator[int]:
        """
        Count through the frames, in order.

        A video is then read but once: how long it is shows only at its end.
        """
        yield from range(len(self))

    @abstractmethod
    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Decode a frame; reading in order is the fast way.

        :returns: (H, W, 3), uint8, RGB.
        :raises BadFrameError: if it cannot be decoded; names the file and the frame.
        """

    @abstractmethod
    def truth(self, index: int) -> Truth:
        """
        Return a frame's annotated objects.

        None is an empty :class:`Truth`; a frame that was not annotated says so.
        """

    def encoded(self, index: int) -> tuple[str, bytes] | None:
        """
        Return a frame as the file that it is, so that copying it costs no quality.

        :returns: ``jpeg`` or ``png``, and the file's bytes; None where there is no such file.
        """
        return None

    def image_id(self, index: int) -> int:
        """Return the frame's id in detection dumps, unique within the data set."""
        raise NotImplementedError(f'{type(self).__name__} numbers no images')

    def stamp_ns(self, index: int) -> int:
        """Return the frame's time in nanoseconds."""
        return round(index * 1e9 / self.fps)

    def recorded_ns(self, index: int) -> int | None:
        """Return when the frame was recorded, in nanoseconds; None where nobody took that down."""
        return None

    def frame(self, index: int) -> Frame:
        """Wrap a frame for streaming; it is decoded only if it is READ."""
        return Frame(self.stamp_ns(index), lambda: self.read(index), frame_id=self.name)

    def release(self) -> None:  # noqa: B027 (most clips hold nothing)
        """Let go of open files and of what was read; a frame asked for later opens them again."""


@dataclass(frozen=True)
class ClipDataset:
    """Clips that share one list of class names."""

    labels: tuple[str, ...]
    clips: Sequence[Clip]

    def __len__(self) -> int:
        """Return the number of frames of all clips."""
        return sum(len(clip) for clip in self.clips)


def unfinished(clips: Iterable[Clip]) -> dict[str, str]:
    """Say, by path, what recordings lack that were not finished, or are damaged or odd."""
    parts: dict[str, dict[str, None]] = {}
    for clip in clips:  # several cameras of one recording lack some things together
        for part in (clip.lacks or '').split('; ') if clip.lacks else ():
            parts.setdefault(clip.source, {})[part] = None
    return {source: '; '.join(lacks) for source, lacks in parts.items()}
