"""Baselines on boxes: read some frames, carry the boxes in between."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
import math
import time
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..carrying import within
from ..data.base import Clip
from ..engine.reading import load_image
from ..flow import grey_thumbnail
from ..model.motion import phase_correlation
from ..preprocess import FILL
from ..types import Action, Detections, Frame, Reason
from .step import DecodeTimer, Runner, Step

# Side of the picture that motion is measured on, pixels.
SIDE = 80


class Carrier(Protocol):
    """
    Carries detections over frames that are not read; the caller cuts boxes at the image's border.

    A deep copy of it is asked for the frame that has not come yet, so it may change its own
    arrays in place.
    """

    def start(self) -> None:
        """Forget everything."""

    def read(self, detections: Detections, frame: Frame) -> Detections:
        """Take in the detections of a READ frame; return the answer for it."""

    def skip(self, frame: Frame | None) -> Detections:
        """Go on to the next frame, which is not read, and answer it; None: it has not come yet."""


class HoldBoxes:
    """Repeats the detections of the last READ."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the last detections."""
        self._last = Detections()

    def read(self, detections: Detections, frame: Frame) -> Detections:
        """Keep the detections."""
        self._last = detections
        return detections

    def skip(self, frame: Frame | None) -> Detections:
        """Repeat them."""
        return self._last


class MovedBoxes:
    """
    Moves the detections of the last READ along with the picture, found by phase correlation.

    What is left of a peek without a network: the camera's motion, as trackers compensate it.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the last detections and the last picture."""
        self._last = Detections()
        self._picture: Tensor | None = None
        self._shift: NDArray[np.float32] = np.zeros(2, np.float32)

    def read(self, detections: Detections, frame: Frame) -> Detections:
        """Keep the detections."""
        self._last, self._picture = detections, _picture(load_image(frame))[0]
        return detections

    def skip(self, frame: Frame | None) -> Detections:
        """Move them; a frame that has not come yet is taken to go on as the last one did."""
        if frame is not None:
            picture, size = _picture(load_image(frame))
            if self._picture is not None:
                share = phase_correlation(self._picture[None], picture[None])[0].numpy()
                self._shift = (share * np.array(frame.size or size)).astype(np.float32)
            self._picture = picture
        boxes = self._last.boxes + np.tile(self._shift, 2)
        self._last = replace(self._last, boxes=boxes.astype(np.float32))
        return self._last


def _picture(image: NDArray[np.uint8]) -> tuple[Tensor, tuple[int, int]]:
    """Make a thumbnail for phase correlation; with the image's (width, height)."""
    # By way of the thumbnail that stores keep of every image.
    small = cv2.resize(grey_thumbnail(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small.astype(np.float32) - FILL), (image.shape[1], image.shape[0])


class BoxBaseline:
    """
    Answers what is not READ by carried boxes.

    :ivar read_every: every so many frames are shown to the reader. None shows it all, and takes
        its decisions: its head then runs on a FORECAST, too, and is counted; that could be saved.
    :ivar anticipates: whether each step also carries the boxes on to the next frame.
    :raises ValueError: for ``read_every`` below 1.
    """

    def __init__(
        self, reader: Runner, carrier: Carrier, read_every: int | None = None,
        anticipates: bool = False,
    ) -> None:
        if read_every is not None and read_every < 1:
            raise ValueError(f'read_every: {read_every} is below 1; 1 reads every frame')
        self.reader, self.carrier, self.read_every = reader, carrier, read_every
        self.anticipates = anticipates
        self._index, self._size = 0, (0, 0)

    def start(self, clip: Clip) -> None:
        """Begin a new clip; its first frame is read."""
        self.reader.start(clip)
        self.carrier.start()
        self._index = 0

    def step(self, frame: Frame) -> Step:
        """
        Answer the next frame.

        :raises BadFrameError: if it is read and cannot be used.
        """
        step = self._decide(frame)
        if step.reason is Reason.RESET:
            self.carrier.start()
        if step.action is Action.READ:
            found, carry_ms = _timed(lambda at: self.carrier.read(step.detections, at), frame)
        else:
            found, carry_ms = _timed(self.carrier.skip, frame)
            found = within(found, self._size)
        step = replace(step, detections=found, latency_ms=step.latency_ms + carry_ms)
        return _look_ahead(step, self.carrier, self._size) if self.anticipates else step

    def _decide(self, frame: Frame) -> Step:
        """Show the frame to the reader, where it is its turn."""
        index, self._index = self._index, self._index + 1
        if self.read_every is not None and index % self.read_every:
            return Step(Detections(), Action.FORECAST, 0.0)
        watched = DecodeTimer(frame)
        step = self.reader.step(watched.frame)
        self._size = watched.size or self._size
        # Nobody asks the scheduler where READs come at even distances.
        return step if self.read_every is None else replace(step, confidence=math.nan)


def _look_ahead(step: Step, carrier: Carrier, size: tuple[int, int]) -> Step:
    """Add where the boxes will be at the next frame; the carrier itself stays as it is."""
    start = time.perf_counter()
    ahead = within(deepcopy(carrier).skip(None), size)
    return replace(step, anticipated=ahead, anticipation_ms=_ms_since(start))


def _timed(
    carry: Callable[[Frame], Detections], frame: Frame
) -> tuple[Detections, float]:
    """Carry boxes; with the milliseconds that took, decoding apart."""
    watched = DecodeTimer(frame)
    start = time.perf_counter()
    detections = carry(watched.frame)
    return detections, max(0.0, _ms_since(start) - watched.ms)


def _ms_since(start: float) -> float:
    return 1e3 * (time.perf_counter() - start)
