"""Video files opened by OpenCV: by which of its readers, upright, quiet, at what rate."""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from ..images import quiet
from ..limits import MAX_PIXELS
from ..types import BadFrameError
from .container import why_not_opened
from .stamps import Stamps

# A damaged file makes FFmpeg write thousands of lines, none of which names the file. OpenCV reads
# this once, with the first file that it opens.
if 'OPENCV_FFMPEG_DEBUG' not in os.environ:
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

# Readers of files; not the one that takes clip_07.png for the seventh of a row of images.
_BACKENDS = (cv2.CAP_FFMPEG, cv2.CAP_GSTREAMER, cv2.CAP_MSMF, cv2.CAP_AVFOUNDATION,
             cv2.CAP_OPENCV_MJPEG)
# FFmpeg's grab may fail for a packet that cannot be decoded; at the end, trying costs nothing.
_RETRIES = 1000
_MOST_FPS, _SAMPLE = 240.0, 50


class VideoFaultError(BadFrameError):
    """
    Raised for a fault of the whole file, which need be named only once.

    :ivar path: of the file.
    """

    def __init__(self, text: str, path: Path | None = None) -> None:
        # One argument suffices: that is how an error comes back from a worker process.
        super().__init__(text)
        self.path = path


def open_capture(path: Path, upright: bool) -> cv2.VideoCapture:
    """
    Open a file by the first reader of OpenCV that can.

    :raises VideoFaultError: if none can; says why.
    """
    there = cv2.videoio_registry.getBackends()
    for backend in (one for one in _BACKENDS if one in there):
        with quiet():
            capture = cv2.VideoCapture(str(path), backend)
        if capture.isOpened():
            # Not left to the default, which is not that of every OpenCV.
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, int(upright))
            _check_size(path, capture)
            return capture
    raise VideoFaultError(f'{path}: {why_not_opened(path)}', path)


def _check_size(path: Path, capture: cv2.VideoCapture) -> None:
    width, height = picture_size(capture)
    if width * height > MAX_PIXELS:
        capture.release()
        raise VideoFaultError(
            f'{path}: claims pictures of {width}x{height} pixels, more than the {MAX_PIXELS} that '
            'are taken; scale it down', path)


def grab(capture: cv2.VideoCapture) -> bool:
    """Go to the next frame that can be decoded."""
    if capture.grab():
        return True
    if capture.getBackendName() != 'FFMPEG':
        return False
    with quiet():
        return any(capture.grab() for _ in range(_RETRIES))


def picture_size(capture: cv2.VideoCapture) -> tuple[int, int]:
    """Return (width, height) in pixels of the pictures as they are read."""
    return (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))


def frame_rate(path: Path, capture: cv2.VideoCapture) -> float:
    """
    Find the frames per second.

    A browser's WebM says 1000, the unit of its clock: what is that high has to show in the
    stamps.
    """
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    if 0 < fps <= _MOST_FPS:
        return fps
    stamps, sample = Stamps(1e9), open_capture(path, False)
    while len(stamps) < _SAMPLE and sample.grab():
        stamps.add(sample.get(cv2.CAP_PROP_POS_MSEC))
    sample.release()
    lasts_ns = stamps.values_ns[-1] - stamps.values_ns[0] if stamps else 0
    if lasts_ns > len(stamps):  # not the steps of a nanosecond where there are none
        return (len(stamps) - 1) * 1e9 / lasts_ns
    return fps if 0 < fps <= 1000 else 30.0
