"""Drawing what was detected, and why: boxes with names, forecast frames framed in red."""

from __future__ import annotations

from collections.abc import Sequence
import colorsys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from .types import Action, Decision, Detections

if TYPE_CHECKING:
    from .data.base import Truth

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
FORECAST_RED: Colour = (225, 25, 30)
TRUTH_WHITE: Colour = (245, 245, 245)
# Surprise from which the heat is red: so much of the range of grey values.
FULL_HEAT = 0.2
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def class_colour(label: int) -> Colour:
    """Return a class's colour, RGB; red is kept for forecasts."""
    # Steps of the golden ratio keep neighbours apart; hues from 0.07 to 0.93 leave red out.
    hue = 0.07 + 0.86 * ((0.35 + label * 0.618034) % 1)
    r, g, b = colorsys.hsv_to_rgb(hue, 0.85, 0.95)
    return round(255 * r), round(255 * g), round(255 * b)


def _unit(image: Image) -> float:
    """Return the size of text and lines for an image: 1 at a height of 480 pixels."""
    return max(0.7, min(image.shape[:2]) / 480)


def _thickness(image: Image) -> int:
    """Return the width of the lines of boxes, pixels."""
    return max(1, round(2 * _unit(image)))


def _border(image: Image) -> int:
    """Return the width of a forecast's frame, pixels."""
    return max(3, 2 * _thickness(image))


def _tag(image: Image, text: str, corner: tuple[int, int], colour: Colour) -> None:
    """Write text on a filled plate above ``corner``, moved to lie in the frame; in place."""
    scale, stroke, pad = 0.5 * _unit(image), max(1, round(_unit(image))), _thickness(image)
    (width, height), base = cv2.getTextSize(text, _FONT, scale, stroke)
    frame = _border(image)
    x = max(frame, min(corner[0], image.shape[1] - width - 2 * pad - frame))
    y = min(max(height + base + 2 * pad + frame, corner[1]), image.shape[0] - frame)
    cv2.rectangle(image, (x, y - height - base - 2 * pad), (x + width + 2 * pad, y), colour, -1)
    dark = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] < 110
    cv2.putText(image, text, (x + pad, y - base - pad), _FONT, scale,
                (255, 255, 255) if dark else (0, 0, 0), stroke, cv2.LINE_AA)


def _corners(box: NDArray[np.float32]) -> tuple[tuple[int, int], tuple[int, int]]:
    x0, y0, x1, y1 = (int(round(float(v))) for v in box)
    return (x0, y0), (x1 - 1, y1 - 1)


def annotate(
    image: Image, detections: Detections, labels: Sequence[str],
    decision: Decision | None = None, truth: Truth | None = None, scale: float = 1.0,
) -> Image:
    """
    Draw one frame's result; a forecast gets a red frame and a tag (the paper's Fig. 4).

    :param image: (H, W, 3), uint8, RGB; left as it is.
    :param labels: class names by label index.
    :param truth: drawn thin and white, if given.
    :param scale: enlarges the image first, so that names are readable on small ones.
    :returns: a new image, RGB.
    """
    if scale == 1.0:
        image = image.copy()
    else:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), np.uint8
        )
    thick = _thickness(image)
    if truth is not None:
        for box in truth.boxes * np.float32(scale):
            cv2.rectangle(image, *_corners(box), TRUTH_WHITE, 1)
    # The strongest are drawn last, on top.
    for k in reversed(range(len(detections))):
        first, second = _corners(detections.boxes[k] * np.float32(scale))
        label = int(detections.labels[k])
        name = labels[label] if 0 <= label < len(labels) else f'class {label}'
        if detections.ids is not None:
            name += f' #{detections.ids[k]}'
        cv2.rectangle(image, first, second, class_colour(label), thick)
        _tag(image, f'{name} {detections.scores[k]:.2f}', first, class_colour(label))
    if decision is not None and decision.action == Action.FORECAST:
        height, width = image.shape[:2]
        border = _border(image)
        for k in range(border):
            cv2.rectangle(image, (k, k), (width - 1 - k, height - 1 - k), FORECAST_RED, 1)
        _tag(image, f'FORECAST {decision.frames_since_read}', (border, border), FORECAST_RED)
    return image


def heat(image: Image, surprise: NDArray[np.float32]) -> Image:
    """
    Lay what a forecast does not explain over an image: blue is nothing, red a lot.

    :param image: (H, W, 3), uint8, RGB.
    :param surprise: (h, w) over the image, in shares of the range of grey values.
    :returns: a new image, RGB.
    """
    height, width = image.shape[:2]
    share = np.clip(surprise / FULL_HEAT, 0, 1)
    values = cv2.resize((255 * share).astype(np.uint8), (width, height),
                        interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap(values, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.addWeighted(image, 0.5, colours, 0.5, 0), np.uint8)


def fit(image: Image, size: tuple[int, int]) -> Image:
    """
    Letterbox an image into a size, centred on black; it is returned as it is where it fits.

    :param size: (width, height) in pixels.
    """
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    factor = min(size[0] / width, size[1] / height)
    laid = (max(1, round(width * factor)), max(1, round(height * factor)))
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = (size[0] - laid[0]) // 2, (size[1] - laid[1]) // 2
    canvas[y:y + laid[1], x:x + laid[0]] = cv2.resize(image, laid, interpolation=cv2.INTER_AREA)
    return canvas


class UnfinishedVideoError(OSError):
    """Raised where a video does not hold what was written: the disk is full, say."""


class VideoWriter:
    """
    An mp4 file. Use it in a ``with`` statement: leaving it finishes and checks the file.

    The first image settles the size; its sides are made even by repeating the last row or column,
    which the codec needs. Later images of another size are letterboxed into it.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        """
        Choose the file; it is opened with the first image.

        :raises ValueError: if ``fps`` is not positive.
        """
        if not fps > 0:
            raise ValueError(f'fps: {fps} is not positive; take the rate of the source')
        self.path, self.fps, self.frames = Path(path), fps, 0
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        elif self._writer is not None:
            self._writer.release()

    def _open(self, image: Image) -> cv2.VideoWriter:
        self._size = (image.shape[1], image.shape[0])
        width, height = (side + side % 2 for side in self._size)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(
            str(self.path), cv2.VideoWriter.fourcc(*'mp4v'), self.fps, (width, height)
        )
        if not writer.isOpened():
            raise OSError(
                f'{self.path}: OpenCV cannot write this video ({width}x{height}); name a file '
                f'that ends in .mp4 in a folder that can be written to'
            )
        return writer

    def write(self, image: Image) -> None:
        """
        Append an image.

        :param image: (H, W, 3), uint8, RGB.
        :raises OSError: if the file cannot be opened.
        """
        if self._writer is None:
            self._writer = self._open(image)
        image = fit(image, self._size)
        odd_width, odd_height = self._size[0] % 2, self._size[1] % 2
        if odd_width or odd_height:
            image = np.pad(image, ((0, odd_height), (0, odd_width), (0, 0)), 'edge')
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self.frames += 1

    def close(self) -> None:
        """
        Finish the file and check that every image is in it.

        :raises RuntimeError: if no image was written.
        :raises UnfinishedVideoError: if the file does not hold what was written (disk full, say).
            One that cannot be played is removed.
        """
        if self._writer is None:
            raise RuntimeError(f'{self.path}: no image was written; there is no video to finish')
        self._writer.release()
        capture = cv2.VideoCapture(str(self.path))
        found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if found == self.frames:
            return
        rest = f'{found} are in the file'
        if found <= 0:
            self.path.unlink(missing_ok=True)
            rest = 'none can be played, so the file is removed'
        raise UnfinishedVideoError(
            f'{self.path}: {self.frames} frames were written and {rest}; is the disk full?')
