"""Frames of a video file by number: fast forward, reopened for the way back."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import BadFrameError
from .base import Clip, Truth
from .capture import frame_rate, grab, open_capture, picture_size, VideoFaultError
from .container import bytes_missing, codec_code, codec_name, convert_to_h264, fourcc, has_index
from .stamps import Stamps


class VideoEndError(VideoFaultError):
    """
    Raised for a frame behind the last one.

    :ivar count: how many frames there are.
    """

    def __init__(self, text: str, path: Path | None = None, count: int = 0) -> None:
        super().__init__(text, path)
        self.count = count


class VideoReader:
    """
    Read frame k of a video file; exact where seeking by time is not.

    Frames between are skipped undecoded to RGB (``grab``); a backward step reopens the file. How
    many frames there are is not what the container claims, but what decoding found; it is
    remembered, as are the frames' stamps. Pictures are upright, as the container says.

    It opens on first use and again after a fork or in another process, so it can be handed to
    worker processes. One thread at a time.
    """

    def __init__(self, path: str | Path) -> None:
        """
        Remember the file; nothing is opened yet.

        :raises FileNotFoundError: if there is no such file.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'{self.path}: no such video file; check the path')
        self._upright = True
        self._count: int | None = None
        self._stamps: Stamps | None = None
        self._close_handle()

    def _close_handle(self) -> None:
        self._capture: cv2.VideoCapture | None = None
        self._next = 0
        self._pid = -1
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind: it is reopened where the copy is used."""
        kept = ('path', '_upright', '_count', '_stamps')
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back closed."""
        self.__dict__.update(state)
        self._close_handle()

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        if self._capture is not None:
            self._capture.release()
        self._close_handle()

    def _open(self) -> cv2.VideoCapture:
        self.close()
        capture = open_capture(self.path, self._upright)
        if self._stamps is None:
            self._stamps = Stamps(frame_rate(self.path, capture))
        self._capture, self._pid = capture, os.getpid()
        return capture

    def _opened(self) -> cv2.VideoCapture:
        if self._capture is None or self._pid != os.getpid():
            return self._open()
        return self._capture

    def reaches(self, index: int) -> bool:
        """
        Go to a frame, from 0, and say whether it is there; forward without decoding it to RGB.

        :raises BadFrameError: if OpenCV cannot open the file.
        """
        if self._count is not None and index >= self._count:
            return False
        capture = self._open() if index < self._next - 1 else self._opened()
        while self._next <= index:
            if not grab(capture):
                self._count = self._next
                self.close()
                return False
            if self._stamps is not None and self._next == len(self._stamps):
                self._stamps.add(capture.get(cv2.CAP_PROP_POS_MSEC))
            self._next += 1
        return True

    def _need(self, index: int) -> None:
        """Go to a frame that has to be there."""
        if index < 0:
            raise BadFrameError(f'{self.path}: frame {index} asked for; frames count from 0')
        if not self.reaches(index):
            count = self.count()
            if not count:
                self.check()
            missing = bytes_missing(self.path)
            cut = f'; the file is cut off, {missing} bytes are missing' if missing else ''
            raise VideoEndError(
                f'{self.path}: frame {index} asked for, but decoding ends after {count} frames'
                f'{cut}', self.path, count)

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Decode frame ``index``, from 0.

        :returns: (H, W, 3), uint8, RGB.
        :raises BadFrameError: names the file and the frame.
        """
        if self._last is not None and self._last[0] == index:
            return self._last[1].copy()
        self._need(index)
        good, image = self._opened().retrieve()
        if not good or image is None:
            raise BadFrameError(f'{self.path}: frame {index} cannot be decoded; damaged data')
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        self._last = (index, rgb)
        return rgb.copy()

    def stamp_ns(self, index: int) -> int:
        """
        Return the container's stamp of a frame, in nanoseconds; by number where it has none.

        :raises BadFrameError: if there is no such frame.
        """
        if self._stamps is None or not 0 <= index < len(self._stamps):
            self._need(index)
        assert self._stamps is not None
        return self._stamps.values_ns[index]

    def count(self) -> int:
        """
        Count the frames, by going through those that were not read yet; once, then it is known.

        :raises BadFrameError: if OpenCV cannot open the file.
        """
        if self._count is None:
            self.reaches(1 << 62)
        assert self._count is not None
        return self._count

    def info(self) -> tuple[int, float, tuple[int, int]]:
        """
        Go over the file.

        :returns: number of frames (as the container claims, until they have been counted; 0 where
            it claims nothing that can be), frames per second (30 where it does not say), (width,
            height) in pixels of the pictures as they are read.
        :raises BadFrameError: if OpenCV cannot open the file.
        """
        capture = self._opened()
        claimed = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        count = int(claimed) if 0 < claimed < 2 ** 31 else 0
        count = count if self._count is None else self._count
        assert self._stamps is not None
        return count, self._stamps.fps, picture_size(capture)

    def check(self) -> None:
        """
        See that the first frame can be decoded.

        :raises VideoFaultError: if not; names the codec and the remedy.
        """
        capture = self._opened()
        code = fourcc(capture.get(cv2.CAP_PROP_FOURCC))
        if not self.reaches(0):
            code = code or codec_code(self.path)
            named = f'its codec is {codec_name(code)}' if code else 'its codec has no name'
            raise VideoFaultError(
                f'{self.path}: no frame can be decoded: {named}, for which OpenCV has no decoder '
                f'here, or there are no data for it; {convert_to_h264(self.path)}', self.path)

    def fit(self, size: tuple[int, int]) -> None:
        """
        Bring pictures and annotations into one frame of reference.

        Some tools annotate pictures as they are stored, not as they are shown (the container's
        display matrix). Codecs that store whole blocks may add a few rows or columns.

        :param size: (width, height) of the annotated pictures.
        :raises VideoFaultError: if the pictures have neither this size as they are shown nor as
            they are stored; names both.
        """
        shown = picture_size(self._opened())
        if shown == size:
            return
        self._upright = False
        stored = picture_size(self._open())
        if stored == size:
            return
        self._upright = True
        self.close()
        if not _holds(shown, size):
            raise VideoFaultError(
                f'{self.path}: its pictures are {shown[0]}x{shown[1]}, the annotations say '
                f'{size[0]}x{size[1]}; annotate this file, or give the one that was annotated',
                self.path)

    def lacks(self) -> str | None:
        """Say what is missing: bytes, or frames that the container counts, once all are read."""
        missing = bytes_missing(self.path)
        if missing:
            return f'the file is cut off, {missing} bytes are missing; what is there is read'
        if self._count is None or not has_index(self.path):
            return None
        claimed = open_capture(self.path, self._upright).get(cv2.CAP_PROP_FRAME_COUNT)
        if not self._count < claimed < 2 ** 31:
            return None
        return (f'its container counts {int(claimed)} frames, {self._count} could be decoded: it '
                'claims too many, was trimmed, or is damaged')


def _holds(shown: tuple[int, int], size: tuple[int, int]) -> bool:
    """Say whether a picture has a size, and at most some rows or columns more."""
    return all(0 <= x - y < 16 for x, y in zip(shown, size))


class VideoClip(Clip):
    """A video file without truth."""

    def __init__(self, path: str | Path) -> None:
        """
        Open a file.

        :raises FileNotFoundError: if there is no such file.
        :raises BadFrameError: if OpenCV cannot open it, or can decode no frame.
        """
        self.reader = VideoReader(path)
        self.name = self.reader.path.stem
        self._claimed, self.fps, self.size = self.reader.info()
        self.reader.check()

    @property
    def source(self) -> str:
        """Return the path."""
        return str(self.reader.path)

    @property
    def lacks(self) -> str | None:
        """Say what the file lacks, see :meth:`VideoReader.lacks`."""
        return self.reader.lacks()

    @property
    def expected(self) -> int | None:
        """Return what the container claims; None where it claims nothing that can be."""
        return self._claimed or None

    def __len__(self) -> int:
        """Count the frames, which goes through the file once; see :meth:`VideoReader.count`."""
        return self.reader.count()

    def walk(self) -> Iterator[int]:
        """Count up to the last frame, which shows only when it is there."""
        index = 0
        while self.reader.reaches(index):
            yield index
            index += 1

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame, see :meth:`VideoReader.read`."""
        return self.reader.read(index)

    def truth(self, index: int) -> Truth:
        """Return no objects, not annotated: a bare video has no truth."""
        return Truth(annotated=False)

    def image_id(self, index: int) -> int:
        """Count frames from 0."""
        return index

    def stamp_ns(self, index: int) -> int:
        """Return the container's stamp, see :meth:`VideoReader.stamp_ns`."""
        return self.reader.stamp_ns(index)

    def release(self) -> None:
        """Close the file."""
        self.reader.close()
