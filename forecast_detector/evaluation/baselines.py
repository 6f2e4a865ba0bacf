"""Baselines on boxes alone: read every so many frames, carry the boxes in between."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
import time
from typing import Protocol

import numpy as np

from ..data.base import Clip
from ..types import Action, Detections, Frame, Reason
from .run import DecodeTimer, Runner, Step


class Carrier(Protocol):
    """Carries detections over frames that are not read."""

    def start(self) -> None:
        """Forget everything."""

    def read(self, detections: Detections) -> Detections:
        """Take in the detections of a READ frame; return the answer for it."""

    def skip(self) -> Detections:
        """Answer the next frame, which is not read."""


class HoldBoxes:
    """Repeats the detections of the last READ."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Forget the last detections."""
        self._last = Detections()

    def read(self, detections: Detections) -> Detections:
        """Keep the detections."""
        self._last = detections
        return detections

    def skip(self) -> Detections:
        """Repeat them."""
        return self._last


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
        step = self._read(frame) if reads else self._skip()
        return _look_ahead(step, self.carrier, self._size) if self.anticipates else step

    def _read(self, frame: Frame) -> Step:
        watched = DecodeTimer(frame)
        step = self.reader.step(watched.frame)
        self._size = watched.size or self._size
        start = time.perf_counter()
        detections = self.carrier.read(step.detections)
        return Step(
            detections, Action.READ, step.latency_ms + _ms_since(start), reason=step.reason
        )

    def _skip(self) -> Step:
        start = time.perf_counter()
        detections = _within(self.carrier.skip(), self._size)
        return Step(detections, Action.FORECAST, _ms_since(start))


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
        start = time.perf_counter()
        if step.reason is Reason.RESET:
            self.carrier.start()
        if step.action is Action.READ:
            detections = self.carrier.read(step.detections)
        else:
            detections = _within(self.carrier.skip(), self._size)
        step = replace(step, detections=detections, latency_ms=step.latency_ms + _ms_since(start))
        return _look_ahead(step, self.carrier, self._size) if self.anticipates else step


def _look_ahead(step: Step, carrier: Carrier, size: tuple[int, int]) -> Step:
    """Add where the boxes will be at the next frame; the carrier itself stays where it is."""
    start = time.perf_counter()
    ahead = _within(copy(carrier).skip(), size)
    return replace(step, anticipated=ahead, anticipation_ms=_ms_since(start))


def _ms_since(start: float) -> float:
    return 1e3 * (time.perf_counter() - start)


def _within(detections: Detections, size: tuple[int, int]) -> Detections:
    """Cut boxes at the border of the image; those that left it are gone."""
    boxes = np.clip(detections.boxes, 0, np.array(size * 2, np.float32))
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes[kept], detections.scores[kept], detections.labels[kept])
