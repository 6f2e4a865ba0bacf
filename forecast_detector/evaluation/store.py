"""F of every frame of a data set, read once, for pass after pass over the same frames."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
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
    READ features of clips, and what a network that peeks sees of their thumbnails.

    Beyond ``limit_bytes`` they lie in a temporary file (see :mod:`tempfile`), which is gone with
    the process. At 256 channels of 10x10 a frame takes 100 kB.

    :ivar first: index of the first frame of each clip among all frames.
    """

    def __init__(
        self, detector: StreamingDetector, clips: Sequence[Clip], done: Progress = no_progress,
        limit_bytes: int = 4 << 30,
    ) -> None:
        """
        Read every frame of every clip.

        :param done: called with the number of frames read, for progress.
        :raises BadFrameError: for a frame that cannot be used.
        :raises OSError: if the temporary file finds no room.
        """
        self.detector, self.clips = detector, clips
        lengths = [len(clip) for clip in clips]
        self.first = [0, *np.cumsum(lengths).tolist()][:-1]
        self._frames, self._limit = sum(lengths), limit_bytes
        self._features: Tensor | None = None
        self._looks: Tensor | None = None
        self._geometries: list[Geometry] = []
        self._thumbnails: list[NDArray[np.uint8]] = []
        self._fill(done)

    @torch.inference_mode()
    def _fill(self, done: Progress) -> None:
        detector, reader = self.detector, self.detector.reader
        batch = READ_BATCH.get(detector.device.type, 16)
        with closing(_released(self.clips)) as frames:
            for start in range(0, self._frames, batch):
                count = min(batch, self._frames - start)
                loaded = [reader.load(*next(frames)) for _ in range(count)]
                self._geometries += [one.geometry for one in loaded]
                self._thumbnails += [thumbnail(one.image)[:, :, 0] for one in loaded]
                self._features = self._put(self._features, start, reader.read(loaded))
                if detector.network.config.peek:
                    self._looks = self._put(self._looks, start, reader.look(loaded))
                done(len(loaded))

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
        if 4 * math.prod(shape) <= self._limit:
            return torch.empty(shape).permute(0, 3, 1, 2)
        with tempfile.TemporaryFile() as file:
            # Reserved now: a full disk is an error here, and not a crash at a write later.
            os.posix_fallocate(file.fileno(), 0, 4 * math.prod(shape))
            mapped: np.ndarray = np.memmap(file, np.float32, 'r+', shape=shape)
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

    def thumbnail(self, frame: int) -> NDArray[np.uint8]:
        """Give a small grey picture of a frame, as baselines make it of the whole image."""
        return np.repeat(self._thumbnails[frame][:, :, None], 3, axis=2)

    def geometry(self, frame: int) -> Geometry:
        """Tell how a frame lies in the network's input."""
        return self._geometries[frame]


def _released(clips: Sequence[Clip]) -> Generator[tuple[str, Frame], None, None]:
    """Give each frame with the name of its clip; release every clip after its last frame."""
    for clip in clips:
        try:
            for index in range(len(clip)):
                yield clip.name, clip.frame(index)
        finally:
            clip.release()
