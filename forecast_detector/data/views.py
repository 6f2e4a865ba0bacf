"""Clips made of others: every so many frames, a stretch, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..types import Frame
from .base import Clip, Truth
from .frames import PackedTruth


class ClipView(Clip):
    """
    Some frames of a clip, in the order given; each keeps its header and its image id.

    :ivar clip: the whole clip.
    """

    def __init__(
        self, clip: Clip, frames: Sequence[int] | None = None, name: str | None = None,
        fps: float | None = None,
    ) -> None:
        """
        Take frames of a clip.

        :param frames: their numbers; None takes all.
        :param name: None for that of the clip; ``fps`` likewise.
        """
        self.clip = clip
        self.frames: Sequence[int] = range(len(clip)) if frames is None else frames
        self.name, self.fps = name or clip.name, fps or clip.fps

    @property
    def source(self) -> str:
        """Say where the whole clip comes from."""
        return self.clip.source

    @property
    def lacks(self) -> str | None:
        """Say what the recording lacks."""
        return self.clip.lacks

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.frames)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame."""
        return self.clip.read(self.frames[index])

    def truth(self, index: int) -> Truth:
        """Return a frame's annotated objects."""
        return self.clip.truth(self.frames[index])

    def encoded(self, index: int) -> tuple[str, bytes] | None:
        """Return a frame as the file that it is."""
        return self.clip.encoded(self.frames[index])

    def image_id(self, index: int) -> int:
        """Return the id of the frame in the whole clip."""
        return self.clip.image_id(self.frames[index])

    def stamp_ns(self, index: int) -> int:
        """Return the time of the frame in the whole clip."""
        return self.clip.stamp_ns(self.frames[index])

    def recorded_ns(self, index: int) -> int | None:
        """Return when the frame of the whole clip was recorded."""
        return self.clip.recorded_ns(self.frames[index])

    def frame(self, index: int) -> Frame:
        """Return the frame as the whole clip has it, with its own header."""
        return self.clip.frame(self.frames[index])

    def release(self) -> None:
        """Let go of the files of the whole clip."""
        self.clip.release()


def in_whole(clip: Clip, index: int) -> tuple[Clip, int]:
    """Find the whole clip that a frame of a view is of, and its number there."""
    while isinstance(clip, ClipView):
        index = clip.frames[index]
        clip = clip.clip
    return clip, index


def strided(clip: Clip, stride: int) -> Clip:
    """
    Take every ``stride``-th frame of a clip, from its first.

    :raises ValueError: for a stride below 1.
    """
    if stride < 1:
        raise ValueError(f'stride: {stride} is below 1; 1 takes every frame')
    frames = range(0, len(clip), stride)
    return clip if stride == 1 else ClipView(clip, frames, fps=clip.fps / stride)


class JudgedClip(ClipView):
    """A clip with something else in the place of its truth."""

    def __init__(self, clip: Clip, truths: Iterable[Truth]) -> None:
        """Take a clip, and what stands for the truth of each of its frames."""
        super().__init__(clip)
        self._truths = PackedTruth.pack(truths)

    def truth(self, index: int) -> Truth:
        """Return what stands in the truth's place."""
        return self._truths[index]


def annotated_truths(clip: Clip) -> list[Truth] | None:
    """Give the annotated objects of a clip that is judged by something else; else None."""
    if not isinstance(clip, JudgedClip):
        return None
    return [clip.clip.truth(index) for index in range(len(clip))]


class SplicedClip(Clip):
    """Clips end to end, as if one camera had filmed them."""

    name = 'spliced'

    def __init__(self, clips: Sequence[Clip]) -> None:
        """Put clips after another; stamps go on at the rate of the first."""
        self.clips, self.fps = clips, clips[0].fps
        self._places = [(clip, i) for clip in clips for i in range(len(clip))]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._places)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame."""
        clip, at = self._places[index]
        return clip.read(at)

    def truth(self, index: int) -> Truth:
        """Return a frame's annotated objects."""
        clip, at = self._places[index]
        return clip.truth(at)

    def release(self) -> None:
        """Let go of the files of every clip."""
        for clip in self.clips:
            clip.release()
