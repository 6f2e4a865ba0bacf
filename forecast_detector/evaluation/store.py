"""F of every frame of a data set, read once, for pass after pass over the same frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
import math
import os
import tempfile

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..boxes import Geometry
from ..data.base import Clip
from ..reading import LoadedFrame
from ..streaming import StreamingDetector
from ..types import Frame
from .baselines import thumbnail

Progress = Callable[[int], object]
# On a CPU more are not faster.
READ_BATCH = {'cpu': 16, 'cuda': 64}


def no_progress(frames: int) -> None:
    """Show nothing."""


class FeatureStore:
    """
    READ features of clips, what a network that peeks sees of their thumbnails, and small pictures.

    What of these does not fit into ``limit_bytes`` of memory lies in temporary files (see
    :mod:`tempfile`), which are gone with the process. At 256 channels of 10x10 a frame takes
    109 kB, and 42 kB more for a peek on 320x320; headers of frames come on top, 1 kB each.

    :ivar first: index of the first frame of each clip among all frames.
    :ivar memory_bytes: what all that takes of memory, without the files.
    """

    def __init__(
        self, detector: StreamingDetector, clips: Sequence[Clip], done: Progress = no_progress,
        limit_bytes: int = 4 << 30, on_bad: Callable[[Clip, Exception], None] | None = None,
    ) -> None:
        """
        Read every frame of every clip.

        :param done: called with the number of frames read, for progress.
        :param on_bad: told of each clip with a frame that cannot be used, which is then left out
            of ``clips``; without it the first one raises.
        :raises BadFrameError: for a frame that cannot be used.
        :raises ValueError: if no clip can be used.
        :raises OSError: if the temporary file finds no room.
        """
        self.detector, self._on_bad = detector, on_bad
        self._frames, self._limit = sum(len(clip) for clip in clips), limit_bytes
        self.memory_bytes = 0
        self._features: Tensor | None = None
        self._looks: Tensor | None = None
        self._thumbnails: Tensor | None = None
        self._geometries: list[Geometry] = []
        self._headers: list[Frame] = []
        self.clips = self._fill(clips, done)
        lengths = [len(clip) for clip in self.clips]
        self.first = [0, *np.cumsum(lengths).tolist()][:-1]
        self._frames = sum(lengths)

    @torch.inference_mode()
    def _fill(self, clips: Sequence[Clip], done: Progress) -> Sequence[Clip]:
        """Read clip by clip, a batch of frames at a time; gives the clips that could be used."""
        kept: list[Clip] = []
        waiting: list[LoadedFrame] = []
        for clip in clips:
            start = len(self._geometries) + len(waiting)
            try:
                error = self._read(clip, waiting, done)
            finally:
                clip.release()
            if error is None:
                kept.append(clip)
                continue
            if self._on_bad is None:
                raise error
            self._on_bad(clip, error)
            # What is there of it is written over by the next clip.
            del waiting[max(0, start - len(self._geometries)):]
            del self._geometries[start:], self._headers[start:]
        done(self._take(waiting))
        if not kept:
            raise ValueError(f'none of {len(clips)} clips can be used; see above')
        return kept

    def _read(self, clip: Clip, waiting: list[LoadedFrame], done: Progress) -> Exception | None:
        """Read a clip up to its end or an error, which it gives; the last frames wait."""
        batch = READ_BATCH.get(self.detector.device.type, 16)
        for index in range(len(clip)):
            try:
                waiting.append(self.detector.reader.load(clip.name, clip.frame(index)))
            except (ValueError, OSError) as error:
                return error
            if len(waiting) == batch:
                done(self._take(waiting))
        return None

    def _take(self, loaded: list[LoadedFrame]) -> int:
        """Compute on frames and put them behind those that are there; empties the list."""
        count, start, reader = len(loaded), len(self._geometries), self.detector.reader
        if count:
            self._features = self._put(self._features, start, reader.read(loaded))
            if self.detector.network.config.peek:
                self._looks = self._put(self._looks, start, reader.look(loaded))
            pictures = np.stack([thumbnail(one.image)[None, :, :, 0] for one in loaded])
            self._thumbnails = self._put(self._thumbnails, start, torch.from_numpy(pictures))
            self._geometries += [one.geometry for one in loaded]
            self._headers += [one.frame.header() for one in loaded]
            loaded.clear()
        return count

    def regrouped(self, clips: Sequence[Clip]) -> FeatureStore:
        """
        Give the same frames, in the same order, as other clips.

        :raises ValueError: if they count other frames.
        """
        lengths = [len(clip) for clip in clips]
        if sum(lengths) != self._frames:
            raise ValueError(f'clips of {sum(lengths)} frames for a store of {self._frames}')
        other = copy(self)
        other.clips, other.first = clips, [0, *np.cumsum(lengths).tolist()][:-1]
        frames = (clip.frame(i) for clip in clips for i in range(len(clip)))
        other._headers = [frame.header() for frame in frames]
        return other

    def _put(self, kept: Tensor | None, start: int, values: Tensor) -> Tensor:
        if kept is None:
            kept = self._allocate(values)
        kept[start:start + len(values)] = values.cpu()
        return kept

    def _allocate(self, like: Tensor) -> Tensor:
        """Make room for all frames, in the layout that the network computes in."""
        channels, height, width = like.shape[1:]
        shape = (self._frames, height, width, channels)
        room = like.element_size() * math.prod(shape)
        if self.memory_bytes + room <= self._limit:
            self.memory_bytes += room
            return torch.empty(shape, dtype=like.dtype).permute(0, 3, 1, 2)
        with tempfile.TemporaryFile() as file:
            # Reserved now: a full disk is an error here, and not a crash at a write later.
            os.posix_fallocate(file.fileno(), 0, room)
            kind = like[:0].cpu().numpy().dtype
            mapped: np.ndarray = np.memmap(file, kind, 'r+', shape=shape)
        return torch.from_numpy(mapped).permute(0, 3, 1, 2)

    def features(self, frames: Sequence[int]) -> Tensor:
        """
        F of some frames, on the detector's device.

        :param frames: numbers among all frames, see ``first``.
        :returns: (len(frames), C, H/32, W/32).
        """
        assert self._features is not None
        return self._features[torch.tensor(frames)].to(self.detector.device)

    def looks(self, frames: Sequence[int]) -> Tensor:
        """
        Features of the thumbnails of some frames, on the detector's device.

        :returns: (len(frames), L, H/32, W/32).
        """
        assert self._looks is not None
        return self._looks[torch.tensor(frames)].to(self.detector.device)

    def header(self, frame: int) -> Frame:
        """Give a frame without its image; reading it again may cost a look into a bag."""
        return self._headers[frame]

    def thumbnail(self, frame: int) -> NDArray[np.uint8]:
        """Give a small grey picture of a frame, as baselines make it of the whole image."""
        assert self._thumbnails is not None
        return np.repeat(self._thumbnails[frame, 0].numpy()[:, :, None], 3, axis=2)

    def geometry(self, frame: int) -> Geometry:
        """Tell how a frame lies in the network's input."""
        return self._geometries[frame]
