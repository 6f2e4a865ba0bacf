"""YOLOX with forecasts, compiled: a READ is one call, and a FORECAST one once motion is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..layout import array, tensor
from ..model.yolox.backbone import STRIDES
from ..model.yolox.config import FOUND
from ..model.yolox.network import Features, YoloxNetwork
from ..model.yolox.preview import coarser, Motion, PICTURE, Preview
from ..model.yolox.temporal import STALENESS
from .compiled import Compiled
from .grid import SparseDecoding
from .moving import moved, sampler
from .yolox_parts import sees_maps


class Judged(NamedTuple):
    """The surprise of a frame, and what the scheduler makes of it."""

    surprise: Tensor
    logits: Tensor


class CompiledYolox(Compiled):
    """YOLOX, its work done by compiled parts."""

    network: YoloxNetwork

    def prepare(
        self, sizes: Sequence[tuple[int, int]] = (), batches: Sequence[int] = (1,)
    ) -> None:
        """
        Compile for what will come; for the network's own input size in any case.

        :param sizes: further (height, width) of images to read, multiples of 32.
        :param batches: how many frames a call takes.
        """
        for batch in batches:
            for size in (self._input_size, *sizes):
                self.library.prepare('read', [(*size, 3)], batch)
            self.library.prepare('forecast', self._forecast_shapes(), batch)

    def _map_shapes(self) -> list[tuple[int, ...]]:
        return [self._shape(stride, self.network.config.map_channels) for stride in STRIDES]

    def _forecast_shapes(self) -> list[tuple[int, ...]]:
        coarse, seen = STRIDES[-1], self._map_shapes() if sees_maps(self.network) else []
        return [
            self._shape(coarse, STALENESS), self._shape(PICTURE, 3), self._shape(PICTURE, 3),
            self._shape(coarse, 1), *seen,
        ]

    def _shape(self, stride: int, channels: int) -> tuple[int, ...]:
        height, width = self._input_size
        return height // stride, width // stride, channels

    def read(self, images: Tensor) -> Features:
        """Make F of images, (B, 3, H, W), RGB, 0..255, uint8."""
        inputs = [array(images)]
        if inputs[0].dtype != np.uint8 or not self.library.has('read', inputs):
            return self.network.read(images)
        maps = tuple(tensor(one) for one in self.library.run('read', inputs))
        coarse = maps[-1]
        return Features(maps, torch.zeros(len(coarse), STALENESS, *coarse.shape[2:]))

    def preview(self, thumbnails: Tensor) -> Preview:
        """Take thumbnails, (B, 3, h, w), RGB, uint8."""
        return self.network.preview(thumbnails)

    def correct(
        self, forecast: Features, preview: Preview, previous: Preview
    ) -> tuple[Features, Judged]:
        """Move F along with the picture, and correct it; the scheduler is asked on the way."""
        maps = [array(one) for one in forecast.maps]
        if [one.shape[1:] for one in maps] != self._map_shapes():
            features, seen = self.network.correct(forecast, preview, previous)
            return features, Judged(seen, self.network.schedule(features, features, seen))
        motion = Motion.between(preview, previous, self.reduction)
        by = [sampler(one) for one in coarser(motion.flow, self.cells)]
        carried = [moved(one, way) for one, way in zip(maps, by)]
        logits, staleness, surprise, *changes = self.library.run('forecast', [
            moved(array(forecast.staleness), by[-1]), array(preview.picture), motion.expected,
            motion.reach, *(carried if sees_maps(self.network) else ()),
        ])
        for one, change in zip(carried, changes):
            one[..., -FOUND:] += change
        features = Features(tuple(tensor(one) for one in carried), tensor(staleness))
        return features, Judged(tensor(surprise), torch.from_numpy(logits))

    def extrapolate(self, forecast: Features, preview: Preview, previous: Preview) -> Features:
        """Move F of a frame that has not come yet, as the picture last moved."""
        return self.network.extrapolate(forecast, preview, previous)

    def zero_state(self, features: Features) -> None:
        """There is none."""

    def encode(self, features: Features, state: None) -> tuple[Features, Features, None]:
        """Give F as the forecast and as the converted map."""
        return features, features, None

    def combine(self, features: Features, converted: Features) -> Features:
        """Give what the detector sees: F."""
        return features

    def schedule(
        self, features: Features, converted: Features, surprise: Tensor | Judged
    ) -> Tensor:
        """Give the logits of the scheduler, (B, 2)."""
        if isinstance(surprise, Judged):
            return surprise.logits
        return self.network.schedule(features, converted, surprise)

    def detect(self, features: Features) -> tuple[Tensor, ...]:
        """Give F: what the last layer for classes is asked for is known where objects are."""
        return features.maps

    def decoding(self, input_size: tuple[int, int]) -> SparseDecoding:
        """Return the decoding for an input of (height, width) pixels."""
        return SparseDecoding.of(self.network)
