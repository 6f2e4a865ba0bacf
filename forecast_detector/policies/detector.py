"""The streaming detector as a runner of evaluations."""

from __future__ import annotations

from dataclasses import replace
import time
from typing import Any

from ..config import StreamConfig
from ..data.base import Clip
from ..engine import StreamingDetector
from ..types import Frame, Policy
from .step import DecodeTimer, SCORE_THRESHOLD, Step

STREAM = 'evaluation'


def evaluation_config(
    policy: Policy, p: float = 1.0, read_every: int = 2, **changes: Any
) -> StreamConfig:
    """
    Configure a stream for measuring: weak detections kept, no resets but between clips, no tracks.

    :param changes: other settings of :class:`~forecast_detector.config.StreamConfig`.
    :raises ValueError: for a value outside its range.
    """
    return StreamConfig(
        p=p, policy=policy, read_every=read_every, score_threshold=SCORE_THRESHOLD,
        max_gap_s=0.0, track=False,
    ).replace(**changes)


class DetectorRunner:
    """
    Steps one stream of a streaming detector.

    :ivar anticipates: whether each step also detects on the forecast of the next frame.
    """

    def __init__(
        self, detector: StreamingDetector, config: StreamConfig, anticipates: bool = False
    ) -> None:
        self.detector, self.config, self.anticipates = detector, config, anticipates

    def start(self, clip: Clip) -> None:
        """Begin a new clip: the stream is as if never seen."""
        self.detector.config = self.config
        self.detector.forget(STREAM)

    def step(self, frame: Frame) -> Step:
        """
        Answer the next frame.

        :raises BadFrameError: if it is read and cannot be used.
        """
        timer = DecodeTimer(frame)
        result = self.detector.step({STREAM: timer.frame})[STREAM].or_raise()
        step = Step.of(result, max(0.0, result.decision.inference_ms - timer.ms))
        if not self.anticipates:
            return step
        started = time.perf_counter()
        ahead = self.detector.anticipate(STREAM)
        elapsed_ms = 1e3 * (time.perf_counter() - started)
        return replace(step, anticipated=ahead, anticipation_ms=elapsed_ms)
