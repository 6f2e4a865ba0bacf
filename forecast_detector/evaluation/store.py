"""F of every frame of a data set, read once, for pass after pass over the same frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
import math
import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..boxes import Geometry
from ..config import StreamConfig
from ..data.base import Clip
from ..data.views import ClipView
from ..engine import StreamingDetector
from ..engine.memory import first_tensor, Maps, Memory, tree_map
from ..engine.reading import FrameReader
from ..engine.recurrence import Forecaster, seen
from ..flow import Grey, grey_thumbnail, LONGER_SIDE, thumbnail_size
from ..kept import SmallPicture
from ..postprocess import to_image
from ..types import Detections, Frame
from .run import Done, ignore

# On a CPU more are not faster.
READ_BATCH = {'cpu': 16, 'cuda': 64}
# Called with a clip, the number of a frame of it, and why that cannot be used.
OnBadFrame = Callable[[Clip, int, Exception], None]


@dataclass(frozen=True)
class StoredFrame(Frame):
    """
    A frame whose features are in a store.

    :ivar number: of the frame there.
    """

    number: int = -1

    @classmethod
    def of(cls, frame: Frame, number: int) -> StoredFrame:
        """Take the header of a frame."""
        header = frame.header()
        return cls(
            header.stamp_ns, header.load, header.size, header.frame_id, header.encoding, number
        )


@dataclass(frozen=True)
class Stored:
    """Features of a frame, at hand in a store."""

    number: int
    geometry: Geometry


class _Mixed(Exception):
    """
    Frames of a clip have inputs of several sizes, and do not fit in a batch.

    :ivar bad: how many frames before these could not be used.
    """

    def __init__(self, bad: int) -> None:
        super().__init__()
        self.bad = bad


class FeatureStore:
    """
    READ features of clips, those of their thumbnails for a network that peeks, and small pictures.

    It is a :class:`~forecast_detector.engine.reading.Reader` of its own frames. Inputs of the
    frames of a clip that is read are of one size: where images of several shapes would give
    others, none of its frames is trimmed.

    What of these does not fit into ``limit_bytes`` of memory lies in temporary files (see
    :mod:`tempfile`), which are gone with the process. At 256 channels of 10x10 a frame takes
    145 kB, and 42 kB more for a peek on 320x320; headers of frames come on top, 1 kB each.

    :ivar first: index of the first frame of each clip among all frames.
    :ivar memory_bytes: what all that takes of memory, without the files.
    """

    def __init__(
        self, detector: StreamingDetector, clips: Sequence[Clip], done: Done = ignore,
        limit_bytes: int = 4 << 30, on_bad: Callable[[Clip, Exception], None] | None = None,
        half: bool = False, on_bad_frame: OnBadFrame | None = None,
    ) -> None:
        """
        Read every frame of every clip.

        :param done: called with the number of frames read, for progress.
        :param on_bad: called with each clip that has a frame that cannot be used, which is then
            left out of ``clips``; without it the first one raises.
        :param half: whether features are kept in half precision, for training.
        :param on_bad_frame: called with each frame that cannot be used, which is then left out of
            its clip; a clip without any other goes to ``on_bad``.
        :raises BadFrameError: for a frame that cannot be used.
        :raises ValueError: if no clip can be used.
        :raises OSError: if the temporary file finds no room.
        """
        self.detector, self._on_bad, self._half = detector, on_bad, half
        self._on_bad_frame = on_bad_frame
        reader = detector.reader
        if not isinstance(reader, FrameReader):
            raise TypeError(f'a store reads images, and not from a {type(reader).__name__}')
        self._reader = reader
        self._frames, self._limit = sum(len(clip) for clip in clips), limit_bytes
        self.memory_bytes = 0
        self._features: Maps = None
        self._previews: Maps = None
        self._thumbnails: Maps = None
        self._geometries: list[Geometry] = []
        self._headers: list[StoredFrame] = []
        self.clips = self._fill(clips, done)
        lengths = [len(clip) for clip in self.clips]
        self.first = [0, *np.cumsum(lengths).tolist()][:-1]
        self._frames = sum(lengths)

    @torch.inference_mode()
    def _fill(self, clips: Sequence[Clip], done: Done) -> Sequence[Clip]:
        """Read clip by clip, a batch of frames at a time; gives the clips that could be used."""
        kept: list[Clip] = []
        waiting: list[tuple[Frame, Any]] = []
        for clip in clips:
            start = len(self._geometries) + len(waiting)
            try:
                good, error = self._read(clip, waiting, done, self._reader)
            except _Mixed as mixed:
                # They are read, and counted, once more.
                done(-max(0, len(self._geometries) - start) - mixed.bad)
                self._drop(start, waiting)
                good, error = self._read(clip, waiting, done, self._reader.whole)
            finally:
                clip.release()
            if error is None:
                kept.append(clip if len(good) == len(clip) else ClipView(clip, good))
                continue
            if self._on_bad is None:
                raise error
            self._on_bad(clip, error)
            self._drop(start, waiting)
        done(self._take(waiting))
        if not kept:
            raise ValueError(f'none of {len(clips)} clips can be used; see above')
        return kept

    def _drop(self, start: int, waiting: list[tuple[Frame, Any]]) -> None:
        """Forget the frames from one on; what is there of them is written over by the next."""
        del waiting[max(0, start - len(self._geometries)):]
        del self._geometries[start:], self._headers[start:]

    def _read(
        self, clip: Clip, waiting: list[tuple[Frame, Any]], done: Done, reader: FrameReader
    ) -> tuple[list[int], Exception | None]:
        """
        Read a clip up to its end; the last frames wait.

        :returns: the frames that can be used, and why the clip cannot be.
        :raises _Mixed: if inputs of its frames have several sizes.
        """
        sizes = set()
        batch = READ_BATCH.get(self.detector.device.type, 16)
        good: list[int] = []
        bad: list[tuple[int, Exception]] = []
        for index in range(len(clip)):
            try:
                frame = clip.frame(index)
                loaded = reader.load(frame)
            except (ValueError, OSError) as error:
                if self._on_bad_frame is None:
                    return good, error
                bad.append((index, error))
                done(1)
                continue
            sizes.add(size := loaded.geometry.input_size)
            if len(sizes) > 1:
                raise _Mixed(len(bad))
            good.append(index)
            if waiting and waiting[0][1].geometry.input_size != size:
                done(self._take(waiting))
            waiting.append((frame.header(), loaded))
            if len(waiting) == batch:
                done(self._take(waiting))
        for index, why in bad:
            assert self._on_bad_frame is not None
            self._on_bad_frame(clip, index, why)
        return good, bad[-1][1] if bad and not good else None

    def _take(self, waiting: list[tuple[Frame, Any]]) -> int:
        """Compute on frames and put them behind those that are there; empties the list."""
        count, start, reader = len(waiting), len(self._geometries), self._reader
        if count:
            size = waiting[0][1].geometry.input_size
            self.detector.meet(size)
            loaded = [one for _, one in waiting]
            features = reader.read(loaded)
            if self._half:
                features = tree_map(Tensor.half, features)
            self._features = self._put(self._features, start, features, size)
            if self.detector.forecaster.reduction:
                self._previews = self._put(
                    self._previews, start, reader.preview(loaded), size)
            pictures = np.stack([_squared(grey_thumbnail(one.image)) for one in loaded])
            self._thumbnails = self._put(
                self._thumbnails, start, torch.from_numpy(pictures), self._reader.input_size)
            self._geometries += [one.geometry for one in loaded]
            self._headers += [
                StoredFrame.of(frame, start + k) for k, (frame, _) in enumerate(waiting)
            ]
            waiting.clear()
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
        other._headers = [StoredFrame.of(frame, k) for k, frame in enumerate(frames)]
        return other

    def judged(self, clips: Sequence[Clip]) -> FeatureStore:
        """Give the same clips with other truths."""
        other = copy(self)
        other.clips = clips
        return other

    def seen_by(self, detector: StreamingDetector) -> FeatureStore:
        """Give the same features to a detector that reads the same: only forecasts may differ."""
        other = copy(self)
        other.detector = detector
        return other

    def streaming(self, forecaster: Forecaster | None = None) -> StreamingDetector:
        """
        Make a detector that steps frames of this store; fixed policies are not judged.

        :param forecaster: another one than that of the store's own detector.
        """
        return self.detector.variant(self, forecaster, judges_all=False)

    def _put(self, kept: Maps, start: int, values: Maps, size: tuple[int, int]) -> Maps:
        """
        Keep maps of frames.

        :param size: (height, width) of their input, pixels.
        """
        if kept is None:
            kept = tree_map(lambda one: self._allocate(one, size), values)

        def put(room: Tensor, new: Tensor) -> Tensor:
            height, width = new.shape[2:]
            room[start:start + len(new), :, :height, :width] = new.cpu()
            return room

        return tree_map(put, kept, values)

    def _allocate(self, like: Tensor, size: tuple[int, int]) -> Tensor:
        """
        Make room for all frames, in the layout that the network computes in.

        :param size: (height, width) of the input that a map is of; there is room for the largest.
        """
        channels, (height, width) = like.shape[1], (
            side * most // of
            for side, most, of in zip(like.shape[2:], self._reader.input_size, size))
        shape = (self._frames, height, width, channels)
        room = like.element_size() * math.prod(shape)
        if self.memory_bytes + room <= self._limit:
            self.memory_bytes += room
            return torch.empty(shape, dtype=like.dtype).permute(0, 3, 1, 2)
        mapped = room_in_file(shape, like[:0].cpu().numpy().dtype)
        return torch.from_numpy(mapped).permute(0, 3, 1, 2)

    def features(self, frames: Sequence[int]) -> Maps:
        """
        Give F of some frames, on the detector's device, one row each.

        :param frames: numbers among all frames, see ``first``; their inputs are of one size.
        """
        return self._take_rows(self._features, frames)

    def previews(self, frames: Sequence[int]) -> Maps:
        """Give features of the thumbnails of some frames likewise; None without a peek."""
        return self._take_rows(self._previews, frames)

    def _take_rows(self, kept: Maps, frames: Sequence[int]) -> Maps:
        device, most, at = self.detector.device, self._reader.input_size, torch.tensor(frames)
        size, *others = {self._geometries[frame].input_size for frame in frames}
        if others:
            raise ValueError(f'inputs of {size} and {others[0]} do not fit in a batch')

        def take(room: Tensor) -> Tensor:
            height, width = (
                side * its // of for side, its, of in zip(room.shape[2:], size, most))
            return room[at, :, :height, :width].to(device)

        return tree_map(take, kept)

    def frame(self, number: int) -> StoredFrame:
        """Give a frame without its image; reading it again may open a bag."""
        return self._headers[number]

    def load(self, frame: Frame) -> Stored:
        """Find a frame of this store."""
        assert isinstance(frame, StoredFrame)
        return Stored(frame.number, self._geometries[frame.number])

    def read(self, loaded: Sequence[Stored]) -> Maps:
        """Give F of frames, which was read before."""
        return self.features([one.number for one in loaded])

    def preview(self, loaded: Sequence[Stored]) -> Maps:
        """Give features of the thumbnails of frames."""
        return self.previews([one.number for one in loaded])

    def picture(self, loaded: Stored) -> SmallPicture:
        """Give what the motion of boxes is measured on."""
        return SmallPicture.of(self.thumbnail(loaded.number), loaded.geometry.image_size)

    def thumbnail(self, frame: int) -> NDArray[np.uint8]:
        """Give a small grey picture of a frame, as baselines make it of the whole image."""
        height, width = thumbnail_size(*self._geometries[frame].image_size)
        picture = first_tensor(self._thumbnails)[frame, 0, :height, :width].numpy()
        return np.repeat(picture[:, :, None], 3, axis=2)

    def input_size(self, clip: int) -> tuple[int, int]:
        """Give (height, width) of a clip's input; clips of one size fit in a batch."""
        return self._geometries[self.first[clip]].input_size

    def geometry(self, frame: int) -> Geometry:
        """Say how a frame lies in the network's input."""
        return self._geometries[frame]

    def detect(
        self, memory: Memory, frames: Sequence[int], config: StreamConfig
    ) -> list[Detections]:
        """
        Detect on the frame that each stream has just been stepped by.

        :param frames: number of each stream's frame.
        :returns: detections in pixels of the image, one entry a stream.
        """
        found = self.detector.detect(seen(self.detector.network, memory), config)
        return [to_image(one, self.geometry(frame)) for one, frame in zip(found, frames)]


def room_in_file(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """
    Make room in a temporary file, which is gone with the process.

    :raises OSError: if the disk has none; names the folder.
    """
    room = kind.itemsize * math.prod(shape)
    with tempfile.TemporaryFile() as file:
        try:
            # Reserved now: a full disk is an error here, and not a crash at a write later.
            os.posix_fallocate(file.fileno(), 0, room)
        except OSError as error:
            raise OSError(
                f'{tempfile.gettempdir()}: no room for a temporary file of {room / 1e6:.0f} MB '
                f'({error.strerror}); make some, or name another folder by TMPDIR') from error
        mapped: NDArray[Any] = np.memmap(file, kind, 'r+', shape=shape)
    return mapped


def _squared(picture: Grey) -> Grey:
    """Lay a thumbnail of any shape into the room that each has, (1, H, W)."""
    room = np.zeros((1, LONGER_SIDE, LONGER_SIDE), np.uint8)
    room[0, :picture.shape[0], :picture.shape[1]] = picture
    return room


class StoredClip(ClipView):
    """
    A clip of a store, for what steps frame by frame: nothing is decoded again.

    An image is the small grey picture, and its size that of the real one.
    """

    def __init__(self, store: FeatureStore, at: int) -> None:
        """
        Take a clip.

        :param at: its index in the store.
        """
        super().__init__(store.clips[at])
        self._store, self._first = store, store.first[at]

    def read(self, index: int) -> NDArray[np.uint8]:
        """Give the small grey picture of a frame."""
        return self._store.thumbnail(self._first + index)

    def frame(self, index: int) -> Frame:
        """Give a frame with its size."""
        number = self._first + index
        return replace(
            self._store.frame(number), load=partial(self._store.thumbnail, number),
            size=self._store.geometry(number).image_size,
        )
