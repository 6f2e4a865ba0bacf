"""
Where measuring reaches into the streaming engine; nothing else here knows its insides.

A tap stands in for the network of a detector: it can keep READ features, so that a second pass
over the same frames does not pay for them again, and it can replace the forecast by a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..boxes import area
from ..model.network import RecurrentState, StepOutput
from ..postprocess import to_detections
from ..streaming import StreamingDetector
from ..types import Detections, Frame

Key = tuple[str, int]


@dataclass
class _Entry:
    features: Tensor
    size: tuple[int, int]


class FeatureCache:
    """
    READ features by clip and frame, in memory, bit for bit.

    :ivar limit_bytes: beyond it features are computed anew each time.
    """

    def __init__(self, limit_bytes: int = 4 << 30) -> None:
        self.limit_bytes = limit_bytes
        self._entries: dict[Key, _Entry] = {}
        self._bytes = 0

    def get(self, key: Key) -> _Entry | None:
        """Look a frame up."""
        return self._entries.get(key)

    def put(self, key: Key, features: Tensor, size: tuple[int, int]) -> None:
        """Keep a frame's features, (1, C, H, W), while there is room."""
        needed = features.numel() * features.element_size()
        if key not in self._entries and self._bytes + needed <= self.limit_bytes:
            self._entries[key] = _Entry(features.cpu().clone(), size)
            self._bytes += needed


class NetworkTap:
    """
    Stands in for the network of one detector.

    :ivar cache: where READ features are kept, or None.
    :ivar copy: whether the last READ's features serve instead of the forecast.
    """

    def __init__(self, detector: StreamingDetector, cache: FeatureCache | None = None) -> None:
        self._inner = detector._network
        self._device = detector.device
        self._pending: list[tuple[Key, tuple[int, int]]] = []
        self.cache, self.copy = cache, False
        detector._network = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        """Pass on what is not changed."""
        return getattr(self._inner, name)

    def frame(self, key: Key, frame: Frame) -> Frame:
        """
        Wrap a frame, so that its features are found or kept.

        The engine decodes exactly the frames that it reads, in the order of its batch: by that
        the tap knows which features it is asked for.
        """
        if self.cache is None:
            return frame

        def load() -> NDArray[np.uint8]:
            entry = self.cache.get(key) if self.cache is not None else None
            image = np.zeros((*entry.size[::-1], 3), np.uint8) if entry else frame.load()
            self._pending.append((key, (image.shape[1], image.shape[0])))
            return image

        return replace(frame, load=load)

    def read(self, images: Tensor) -> Tensor:
        """Give the features of a batch, those that are known from the cache."""
        pending, self._pending = self._pending, []
        if self.cache is None or len(pending) != len(images):
            features: Tensor = self._inner.read(images)
            return features
        known = [self.cache.get(key) for key, _ in pending]
        new = [row for row, entry in enumerate(known) if entry is None]
        computed = dict(zip(new, self._inner.read(images[new]).split(1))) if new else {}
        for row, features in computed.items():
            self.cache.put(pending[row][0], features, pending[row][1])
        return torch.cat([
            entry.features.to(self._device) if entry else computed[row]
            for row, entry in enumerate(known)
        ])

    def step(self, features: Tensor, state: RecurrentState) -> StepOutput:
        """Step the network; with ``copy`` the next frame starts from the same features."""
        output: StepOutput = self._inner.step(features, state)
        return output._replace(forecast=features) if self.copy else output


def memories(detector: StreamingDetector, streams: Sequence[str]) -> dict[str, Any]:
    """Take down what these streams remember; a step replaces it and does not change it."""
    return {name: detector._streams[name].memory for name in streams}


def restore(detector: StreamingDetector, saved: Mapping[str, Any]) -> None:
    """Put streams back to what they remembered."""
    for name, memory in saved.items():
        detector._streams[name].memory = memory


@torch.inference_mode()
def anticipate(detector: StreamingDetector, stream: str) -> tuple[Detections, float]:
    """
    Detect on the forecast of the next frame: the head on Fc.

    :returns: detections in the pixels of the stream's image, and the time in milliseconds.
    :raises RuntimeError: if the stream has seen no frame.
    """
    started = time.perf_counter()
    entry = detector._streams.get(stream)
    if entry is None or entry.memory is None:
        raise RuntimeError(f'stream {stream!r} has seen no frame yet: there is no forecast')
    config = detector.config
    found = to_detections(
        detector._network.head(entry.memory.forecast), detector._anchors,
        config.score_threshold, config.nms_iou, config.max_detections,
    )[0]
    boxes = entry.memory.geometry.to_image(found.boxes).astype(np.float32)
    inside = area(boxes) > 0
    detections = Detections(boxes[inside], found.scores[inside], found.labels[inside])
    return detections, 1e3 * (time.perf_counter() - started)
