"""Cameras of this machine (``/dev/video0``), opened by OpenCV."""

from __future__ import annotations

import os
from pathlib import Path
import re

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import quiet


def is_camera(path: Path) -> bool:
    """Whether a camera is meant, not a file; be it there or not."""
    return re.fullmatch(r'/dev/video\d+', str(path)) is not None or path.is_char_device()


def open_camera(path: Path) -> cv2.VideoCapture:
    """
    Open a camera.

    :raises OSError: if it is not there, or cannot be used; says what to do.
    """
    if not path.exists():
        there = ', '.join(map(str, sorted(Path('/dev').glob('video*'))))
        raise FileNotFoundError(
            f'{path}: no such camera; this machine has {there or "none: connect one"}')
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(
            f'{path}: this user may not use the camera; sudo usermod -aG video $USER, and log in '
            'again')
    with quiet():
        capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
    if not capture.isOpened():
        raise OSError(
            f'{path}: OpenCV cannot open it as a camera: it is none, or another program uses it; '
            'name another (v4l2-ctl --list-devices), or end that program')
    return capture


def camera_rate(path: Path) -> float | None:
    """
    Ask a camera for its images a second; None if it does not say.

    :raises OSError: see :func:`open_camera`.
    """
    capture = open_camera(path)
    try:
        fps = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    return fps if 0 < fps <= 1000 else None


def next_image(capture: cv2.VideoCapture, path: Path) -> NDArray[np.uint8]:
    """
    Wait for the next image.

    :returns: (H, W, 3), uint8, RGB.
    :raises OSError: if none comes.
    """
    there, image = capture.read()
    if not there:
        raise OSError(f'{path}: the camera gives no image; is it still connected?')
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
