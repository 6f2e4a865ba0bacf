"""Frames of a video file by number: fast forward, reopened for the way back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import BadFrameError
from .base import Clip, Truth


class VideoReader:
    """
    Read frame k of a video file; exact where seeking by time is not.

    Frames between are skipped undecoded to RGB (``grab``); a backward step reopens the file.
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
        self._close_handle()

    def _close_handle(self) -> None:
        self._capture: cv2.VideoCapture | None = None
        self._next = 0
        self._pid = -1
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind: it is reopened where the copy is used."""
        return {'path': self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back closed."""
        self.path = state['path']
        self._close_handle()

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        if self._capture is not None:
            self._capture.release()
        self._close_handle()

    def _open(self) -> cv2.VideoCapture:
        self.close()
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            raise BadFrameError(
                f'{self.path}: not a video that OpenCV can open (truncated, or an unknown '
                f'codec); check that it plays, or convert it to H.264 mp4'
            )
        self._capture, self._pid = capture, os.getpid()
        return capture

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Decode frame ``index``, from 0.

        :returns: (H, W, 3), uint8, RGB.
        :raises BadFrameError: names the file and the frame.
        """
        if index < 0:
            raise BadFrameError(f'{self.path}: frame {index} asked for; frames count from 0')
        if self._last is not None and self._last[0] == index:
            return self._last[1].copy()
        capture = self._capture
        if capture is None or index < self._next or self._pid != os.getpid():
            capture = self._open()
        while self._next <= index:
            if not capture.grab():
                decoded = self._next
                self.close()
                raise BadFrameError(
                    f'{self.path}: frame {index} asked for, but decoding ends after {decoded} '
                    f'frames; the file is shorter than its annotations say, or truncated'
                )
            self._next += 1
        good, image = capture.retrieve()
        if not good or image is None:
            raise BadFrameError(f'{self.path}: frame {index} cannot be decoded; damaged data')
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        self._last = (index, rgb)
        return rgb.copy()

    def info(self) -> tuple[int, float, tuple[int, int]]:
        """
        Look the file over.

        :returns: number of frames (as the container claims), frames per second (30 where it
            does not say), (width, height) in pixels.
        """
        capture = self._capture
        if capture is None or self._pid != os.getpid():
            capture = self._open()
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        size = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        fps = fps if 0 < fps <= 1000 else 30.0
        return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))), fps, size


class VideoClip(Clip):
    """A video file without truth."""

    def __init__(self, path: str | Path) -> None:
        """
        Open a file.

        :raises FileNotFoundError: if there is no such file.
        :raises BadFrameError: if OpenCV cannot open it, or it has no frames.
        """
        self.reader = VideoReader(path)
        self.name = self.reader.path.stem
        self._length, self.fps, self.size = self.reader.info()
        if self._length == 0:
            raise BadFrameError(f'{path}: the container names no frames; convert it to mp4')

    def __len__(self) -> int:
        """Return the number of frames that the container claims."""
        return self._length

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame, see :meth:`VideoReader.read`."""
        return self.reader.read(index)

    def truth(self, index: int) -> Truth:
        """Return no objects, not annotated: a bare video has no truth."""
        return Truth(annotated=False)

    def image_id(self, index: int) -> int:
        """Count frames from 0."""
        return index
