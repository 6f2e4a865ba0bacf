"""What answers the frames of a clip one by one, and what it gives for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
import math
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.base import Clip
from ..types import Action, Detections, Frame, Reason, StepResult

# Average precision wants the weak detections too.
SCORE_THRESHOLD = 0.01


@dataclass(frozen=True)
class Step:
    """
    What one frame gave.

    :ivar latency_ms: time of the step, milliseconds. That of a replay holds the decoding of the
        image, as the node does it within the step; that of :func:`run_clip` does not.
    :ivar confidence: the scheduler's, for this frame; NaN where there is none.
    :ivar reason: why it was READ or FORECAST; None where boxes were carried on instead.
    :ivar anticipated: what was detected on the forecast of the next frame, where asked for.
    :ivar anticipation_ms: time of that, on top of ``latency_ms``.
    """

    detections: Detections
    action: Action
    latency_ms: float
    confidence: float = math.nan
    anticipated: Detections | None = None
    anticipation_ms: float = 0.0
    reason: Reason | None = None

    @classmethod
    def of(cls, result: StepResult, latency_ms: float) -> Step:
        """Take what a stream gave."""
        decision = result.decision
        return cls(result.detections, decision.action, latency_ms, decision.confidence,
                   reason=decision.reason)


class Runner(Protocol):
    """Anything that answers the frames of a clip one by one: a detector, a baseline."""

    def start(self, clip: Clip) -> None:
        """Forget everything: a new clip begins."""

    def step(self, frame: Frame) -> Step:
        """
        Answer the next frame.

        :raises BadFrameError: if it is read and cannot be used.
        """


class DecodeTimer:
    """
    Watches the decoding of one frame: its time does not belong to the detector.

    Reading a video file decodes skipped frames too, a camera none.

    :ivar frame: the frame, to be stepped instead of the one given.
    :ivar ms: time spent in decoding so far, milliseconds.
    :ivar size: (width, height) in pixels, once it was decoded or if the frame knew it.
    """

    def __init__(self, frame: Frame) -> None:
        self.ms = 0.0
        self.size = frame.size
        self._load = frame.load
        self.frame = replace(frame, load=self._timed)

    def _timed(self) -> NDArray[np.uint8]:
        start = time.perf_counter()
        try:
            image = self._load()
        finally:
            self.ms += 1e3 * (time.perf_counter() - start)
        self.size = (image.shape[1], image.shape[0])
        return image
