"""What measuring adds to the streaming engine: a forecast that is a copy, and a look ahead."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
import time
from typing import Any

import torch
from torch import Tensor

from ..model.network import ForecastNetwork, RecurrentState, StepOutput
from ..postprocess import to_detections, to_image
from ..streaming import StreamingDetector
from ..types import Detections


def copying(detector: StreamingDetector) -> StreamingDetector:
    """Make a detector whose forecast is a copy of the features; the given one stays as it is."""
    other = copy(detector)
    other.network = CopyForecast(detector.network)  # type: ignore[assignment]
    return other


class CopyForecast:
    """Stands in for a network: the forecast is a copy of the features."""

    def __init__(self, network: ForecastNetwork) -> None:
        self._inner = network
        # Nothing moves a copy, and nobody asks whether it serves: it needs no thumbnail.
        self.peek = None
        self.config = replace(network.config, peek=0)

    def __getattr__(self, name: str) -> Any:
        """Pass on what is not changed."""
        return getattr(self._inner, name)

    def step(self, features: Tensor, state: RecurrentState) -> StepOutput:
        """Step the network; the next frame starts from the same features."""
        return self._inner.step(features, state)._replace(forecast=features)


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
