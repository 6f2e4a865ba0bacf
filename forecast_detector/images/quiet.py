"""OpenCV's own log, silenced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os

import cv2


@contextmanager
def quiet() -> Iterator[None]:
    """
    Keep OpenCV from writing what is said in an error of ours, unless the user wants that.

    It writes lines that name no file, of what its readers do not know or cannot decode.
    """
    # It moved to cv2.utils.logging after 4.11.
    home = cv2 if hasattr(cv2, 'setLogLevel') else getattr(cv2.utils, 'logging', None)
    set_level = getattr(home, 'setLogLevel', None)
    if set_level is None or 'OPENCV_LOG_LEVEL' in os.environ:
        yield
        return
    before = set_level(0)
    try:
        yield
    finally:
        set_level(before)
