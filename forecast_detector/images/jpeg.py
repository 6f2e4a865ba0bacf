"""JPEGs decoded, and refused where bytes are missing from them."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
import logging
import re

import cv2
import numpy as np
from numpy.typing import NDArray

from ..types import BadFrameError
from .claimed import frame_header, is_progressive
from .markers import check_markers, segments, SOS

try:
    import simplejpeg
except (ImportError, ValueError):  # not installed, or built for another NumPy
    simplejpeg = None

_logger = logging.getLogger(__name__)
_FLAGS = cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_COLOR
# What libjpeg warns of where coded data are missing; OpenCV drops the warning and keeps the grey.
_DAMAGE = re.compile(
    r'premature end|bad Huffman|bad arithmetic|instead of RST|Inconsistent progression'
    r'|(?P<extra>\d+) extraneous bytes(?P<scan> before marker 0x(?:c4|da))?',
    re.IGNORECASE,
)
# What it warns of and decodes; any other message is an error, after which there are no pixels.
_HARMLESS = re.compile(r'extraneous bytes|JFIF revision|Adobe color|Invalid SOS|ICC marker')
# Webcams leave a few bytes before a marker; a lost packet leaves many.
_SPARE_BYTES = 16


def decode_jpeg(data: memoryview, order: str = 'RGB') -> NDArray[np.uint8]:
    """
    Decode a JPEG, its pixels as they are stored.

    :param order: of the channels, ``RGB`` or ``BGR``, or ``GRAY``.
    :returns: (H, W, 3), or (H, W, 1) for ``GRAY``; uint8.
    :raises BadFrameError: if it cannot be decoded, or bytes are missing from it.
    """
    if simplejpeg is None:
        say_once()
        return _by_opencv(data, order)
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, order))
    except (ValueError, MemoryError) as error:
        _refuse_damage(str(error), data)
        return _with_a_warning(data, order, str(error))


def is_grey(data: memoryview) -> bool:
    """Say whether a JPEG has one channel (its frame header counts them)."""
    marker, begin = frame_header(data)
    return marker > 0 and data[begin + 5:begin + 6] == b'\1'


def _refuse_damage(warning: str, data: memoryview) -> None:
    found = _DAMAGE.search(warning)
    if found is None:
        return
    # Between the scans of a progressive JPEG nothing is spare.
    is_spare = found['extra'] and int(found['extra']) <= _SPARE_BYTES
    if is_spare and not (found['scan'] and is_progressive(data)):
        return
    if 'premature end of jpeg file' in warning.lower():
        raise BadFrameError('is a JPEG without end: truncated')
    raise BadFrameError(f'is a JPEG that lost bytes in its middle ({warning})')


def _with_a_warning(data: memoryview, order: str, warning: str) -> NDArray[np.uint8]:
    """Decode what is unusual, yet whole: libjpeg's first warning hides those behind it."""
    check_markers(data)
    mended = bytearray(data)
    for marker, begin, _ in segments(data):
        if marker == SOS:
            # Some webcams leave zeros where a sequential JPEG says "all coefficients".
            mended[begin - 3:begin] = bytes((0, 63, 0))
            break
    try:
        return np.asarray(simplejpeg.decode_jpeg(mended, order))
    except (ValueError, MemoryError) as error:
        _refuse_damage(str(error), data)
    if _HARMLESS.search(warning):
        with suppress(ValueError, MemoryError):
            return np.asarray(simplejpeg.decode_jpeg(data, order, strict=False))
    return _by_opencv(data, order)  # it knows CMYK, and rarer sampling of colours


def _by_opencv(data: memoryview, order: str) -> NDArray[np.uint8]:
    check_markers(data)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error:  # a damaged header that claims an absurd size
        image = None
    if image is None:
        raise BadFrameError('is a JPEG that cannot be decoded: damaged')
    if order == 'GRAY':
        return np.asarray(image[..., 1:2], np.uint8)
    if order == 'RGB':
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.asarray(image, np.uint8)


@cache
def say_once() -> None:
    """Say, the first time, what is missing."""
    _logger.warning(
        'simplejpeg is not installed: a JPEG that lost bytes in its middle is not always '
        "noticed; 'pip install simplejpeg'"
    )
