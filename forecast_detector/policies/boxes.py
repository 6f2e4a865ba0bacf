"""Baselines on boxes alone: read every so many frames, carry the boxes in between."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
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
    Runs a detector on every ``read_every``-th frame only, a carrier on the others.

    :ivar anticipates: whether each step also carries the boxes on to the next frame.
    :raises ValueError: for ``read_every`` below 1.
    """

    def __init__(
        self, reader: Runner, carrier: Carrier, read_every: int, anticipates: bool = False
    ) -> None:
        if read_every < 1:
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
        reads = self._index % self.read_every == 0
        self._index += 1
        step = self._read(frame) if reads else self._skip(frame)
        return _look_ahead(step, self.carrier, self._size) if self.anticipates else step

    def _read(self, frame: Frame) -> Step:
        watched = DecodeTimer(frame)
        step = self.reader.step(watched.frame)
        self._size = watched.size or self._size
        if step.reason is Reason.RESET:
            self.carrier.start()
        detections, carry_ms = _timed(
            lambda frame: self.carrier.read(step.detections, frame), frame
        )
        return Step(detections, Action.READ, step.latency_ms + carry_ms, reason=step.reason)

    def _skip(self, frame: Frame) -> Step:
        detections, carry_ms = _timed(self.carrier.skip, frame)
        return Step(within(detections, self._size), Action.FORECAST, carry_ms)


class ScheduledBoxes:
    """
    Runs a detector on every frame, keeps its decisions, and answers FORECASTs by carried boxes.

    The forecast decides when to read, boxes are what is given in between. Its head still runs on
    FORECAST frames here, and is counted: that could be saved.
    """

    def __init__(self, reader: Runner, carrier: Carrier, anticipates: bool = False) -> None:
        """
        Join the two.

        :param reader: decides, and detects where it reads.
        :param anticipates: whether each step also carries the boxes on to the next frame.
        """
        self.reader, self.carrier, self._size = reader, carrier, (0, 0)
        self.anticipates = anticipates

    def start(self, clip: Clip) -> None:
        """Begin a new clip."""
        self.reader.start(clip)
        self.carrier.start()

    def step(self, frame: Frame) -> Step:
        """
        Answer the next frame.

        :raises BadFrameError: if it is read and cannot be used.
        """
        watched = DecodeTimer(frame)
        step = self.reader.step(watched.frame)
        self._size = watched.size or self._size
        if step.reason is Reason.RESET:
            self.carrier.start()
        if step.action is Action.READ:
            detections, carry_ms = _timed(
                lambda frame: self.carrier.read(step.detections, frame), frame
            )
        else:
            detections, carry_ms = _timed(self.carrier.skip, frame)
            detections = within(detections, self._size)
        step = replace(step, detections=detections, latency_ms=step.latency_ms + carry_ms)
        return _look_ahead(step, self.carrier, self._size) if self.anticipates else step


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
