"""What measuring adds to the streaming engine: a forecast that is a copy, and a look ahead."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from ..model.network import RecurrentState, StepOutput
from ..postprocess import to_detections, to_image
from ..streaming import StreamingDetector
from ..types import Detections


class CopyForecast:
    """Stands in for the network of one detector: the forecast is a copy of the features."""

    def __init__(self, detector: StreamingDetector) -> None:
        """Take the place of the network."""
        self._inner = detector.network
        # Nothing moves a copy, not even when it answers for the next frame.
        self.peek = None
        detector.network = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        """Pass on what is not changed."""
        return getattr(self._inner, name)

    def step(self, features: Tensor, state: RecurrentState) -> StepOutput:
        """Step the network; the next frame starts from the same features."""
        return self._inner.step(features, state)._replace(forecast=features)

    def glance(
        self, forecast: Tensor, converted: Tensor, now: Tensor, before: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Leave the copy as it is: a thumbnail would make another forecast of it."""
        return forecast, self._inner.glance(forecast, converted, now, before)[1]


@torch.inference_mode()
def anticipate(detector: StreamingDetector, stream: str) -> tuple[Detections, float]:
    """
    Detect on the forecast of the next frame: the head on Fc, moved on as the picture last moved
    where the network peeks.

    :returns: detections in the pixels of the stream's image, and the time in milliseconds.
    :raises RuntimeError: if the stream has seen no frame.
    """
    started = time.perf_counter()
    memory = detector.memory(stream)
    if memory is None:
        raise RuntimeError(f'stream {stream!r} has seen no frame yet: there is no forecast')
    config, forecast, peek = detector.config, memory.forecast, detector.network.peek
    if peek is not None and memory.look is not None and memory.before is not None:
        forecast = peek.go_on(forecast, memory.look, memory.before)
    found = to_detections(
        detector.network.detect(forecast), detector.anchors,
        config.score_threshold, config.nms_iou, config.max_detections,
    )[0]
    return to_image(found, memory.geometry), 1e3 * (time.perf_counter() - started)
