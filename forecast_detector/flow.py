"""
Where every pixel of a picture went: dense motion between small grey pictures.

A dense inverse search (DIS, Kroeger et al. 2016) follows what moves a little. It starts from the
camera's motion: one shift of the whole picture, found by phase correlation (Kuglin and Hines
1975), wherever that explains the picture better than standing still does. What the camera follows
stands still in the picture, and the ground behind it moves. Pictures are blurred before: boxes
and features need smooth motion, and fine texture misleads it.
"""

from __future__ import annotations

from functools import lru_cache
import threading

import cv2
import numpy as np
from numpy.typing import NDArray

from .resizing import resized

Grey = NDArray[np.uint8]
Flow = NDArray[np.float32]

# Longer side of thumbnails, pixels. Motion is measured on pictures half as large: in blurred ones
# there is nothing finer to see.
LONGER_SIDE = 208
BLUR_SIGMA = 1.0
# OpenCV's GaussianBlur takes twice as long for bytes, to round to the last bit.
BLUR = cv2.getGaussianKernel(7, BLUR_SIGMA, cv2.CV_32F)
# Response of the phase correlation from which the shift is tried. Shifts by three tenths of a
# picture's width have 0.3 to 0.5, smaller ones more; of pairs of pictures with nothing in common
# one of fifty has as much.
LEAST_RESPONSE = 0.3
# Side of the neighbourhood that the shift has to explain, pixels.
NEIGHBOURHOOD = 5
# DIS cannot compare less: its patches have 8 pixels a side, at half the size.
LEAST_SIDE = 16
ULTRAFAST = cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST

_of_thread = threading.local()


def thumbnail_size(width: int, height: int, longer_side: int = LONGER_SIDE) -> tuple[int, int]:
    """Give (height, width) of the thumbnail of an image; its longer side is always the same."""
    scale = longer_side / max(width, height)
    return max(1, round(height * scale)), max(1, round(width * scale))


def grey_thumbnail(
    image: NDArray[np.uint8], size: int | tuple[int, int] = LONGER_SIDE
) -> Grey:
    """
    Make a small grey picture of an image; the thumbnail of a thumbnail is the same picture.

    :param image: (H, W, 3), RGB.
    :param size: of its longer side, or (height, width), pixels.
    :returns: (height, width).
    """
    if isinstance(size, int):
        size = thumbnail_size(image.shape[1], image.shape[0], size)
    # Grey first: one channel instead of three for what takes longest.
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    return resized(grey, (size[1], size[0]), smooth=True)


def halved(grey: Grey) -> Grey:
    """Make the picture of a thumbnail that motion is measured on: half as large, (h, w)."""
    height, width = (max(1, side // 2) for side in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def prepare(grey: Grey) -> Grey:
    """
    Blur a picture for :func:`dense_flow`; each needs it once. Rows of padding do not mix in.

    :param grey: (H, W); rows and columns of one value at its borders are padding.
    :returns: a new picture of the same size.
    """
    prepared = grey.copy()
    inside = _inside(grey)
    if grey[inside].size:
        prepared[inside] = cv2.sepFilter2D(
            grey[inside], cv2.CV_8U, BLUR, BLUR, borderType=cv2.BORDER_REPLICATE
        )
    return prepared


def dense_flow(before: Grey, now: Grey) -> Flow:
    """
    Find where each pixel of a picture went.

    May be called from any thread. Calls in either order are as accurate: that of (``now``,
    ``before``) says where each pixel of ``now`` came from.

    :param before: (H, W), prepared by :func:`prepare`.
    :param now: likewise, of the same size.
    :returns: (H, W, 2), right and down, in pixels of these pictures: what is at x in ``before``
        is at x + flow[x] in ``now``. Over padding it is the motion at the picture's border.
    :raises ValueError: for pictures of different sizes.
    """
    if before.shape != now.shape:
        raise ValueError(
            f'pictures of {before.shape} and {now.shape}: motion is measured between pictures of '
            'one size; make both thumbnails of one size'
        )
    rows, columns = inside = _joined(_inside(before), _inside(now))
    flow = np.zeros((*before.shape, 2), np.float32)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if min(height, width) < LEAST_SIDE:
        return flow
    found = _flow(np.ascontiguousarray(before[inside]), np.ascontiguousarray(now[inside]))
    if (height, width) == before.shape:
        return found
    return np.asarray(cv2.copyMakeBorder(
        found, rows.start, before.shape[0] - rows.stop, columns.start,
        before.shape[1] - columns.stop, cv2.BORDER_REPLICATE,
    ))


def _flow(before: Grey, now: Grey) -> Flow:
    """Find the flow between pictures without padding."""
    # Always with a start: DIS breaks down where calls with and without one are mixed.
    return np.asarray(_dis().calc(before, now, _start(before, now)))


def _start(before: Grey, now: Grey) -> Flow:
    """Give pixels the shift of the whole picture where it explains more than standing still."""
    (x, y), response = cv2.phaseCorrelate(
        before.astype(np.float32), now.astype(np.float32), _window(before.shape[::-1]))
    if not response > LEAST_RESPONSE:
        return np.zeros((*before.shape, 2), np.float32)
    explains = _difference(before, _moved_back(now, x, y)) < _difference(before, now)
    # As one number of two parts: a product with two columns takes NumPy ten times as long.
    shift = np.complex64(complex(x, y))
    return np.where(explains, shift, np.complex64(0)).view(np.float32).reshape(*before.shape, 2)


def _difference(one: Grey, other: Grey) -> Flow:
    """Average the difference of two pictures around every pixel."""
    return np.asarray(cv2.boxFilter(
        cv2.absdiff(one, other), cv2.CV_32F, (NEIGHBOURHOOD, NEIGHBOURHOOD),
        borderType=cv2.BORDER_REPLICATE,
    ))


def _moved_back(now: Grey, x: float, y: float) -> Grey:
    matrix = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    return np.asarray(cv2.warpAffine(
        now, matrix, (now.shape[1], now.shape[0]), borderMode=cv2.BORDER_REPLICATE
    ))


@lru_cache(maxsize=16)
def _window(size: tuple[int, int]) -> Flow:
    return np.asarray(cv2.createHanningWindow(size, cv2.CV_32F))


def _dis() -> cv2.DISOpticalFlow:
    """Give this thread's DIS: none is safe to share, and a new one maps all its memory anew."""
    dis: cv2.DISOpticalFlow | None = getattr(_of_thread, 'dis', None)
    if dis is None:
        dis = _of_thread.dis = cv2.DISOpticalFlow.create(ULTRAFAST)
    # A small picture changes these for good.
    dis.setFinestScale(1)
    dis.setPatchSize(8)
    dis.setPatchStride(4)
    return dis


def _inside(grey: Grey) -> tuple[slice, slice]:
    """Find the rows and columns that hold a picture: those of more than one value, and between."""
    def filled(lines: Grey) -> slice:
        # From outside, as there is little padding or none.
        first = next((k for k, line in enumerate(lines) if not _is_flat(line)), len(lines))
        if first == len(lines):
            return slice(0, 0)
        after = next(k for k in range(len(lines), 0, -1) if not _is_flat(lines[k - 1]))
        return slice(first, after)

    return filled(grey), filled(grey.T)


def _is_flat(line: Grey) -> bool:
    """Say whether all values are the same."""
    values = line.tobytes()
    return values.count(values[:1]) == len(values)


def _joined(one: tuple[slice, slice], other: tuple[slice, slice]) -> tuple[slice, slice]:
    """Find what either holds."""
    rows, columns = (
        slice(min(a.start, b.start), max(a.stop, b.stop)) if a.stop and b.stop
        else max(a, b, key=lambda s: s.stop) for a, b in zip(one, other)
    )
    return rows, columns
