"""YOLOX with forecasts, compiled: a READ is one call, and a FORECAST one once motion is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..layout import array, tensor
from ..model.yolox.config import FOUND
from ..model.yolox.network import Features, Moving, YoloxNetwork
from ..model.yolox.preview import CELLS, coarser, Motion, Preview
from ..model.yolox.temporal import STALENESS
from .compiled import Compiled
from .grid import SparseDecoding
from .moving import moved, sampler
from .yolox_parts import shapes_of


class CompiledYolox(Compiled):
    """YOLOX, its work done by compiled parts."""

    network: YoloxNetwork

    def prepare(self, size: tuple[int, int], batches: Sequence[int] = (1,)) -> None:
        """Compile for an input of (height, width) pixels, and for batches."""
        for batch in batches:
            for part, shapes in shapes_of(self.network, size).items():
                self.library.prepare(part, shapes, batch)

    def read(self, images: Tensor) -> Features:
        """Make F of images, (B, 3, H, W), RGB, 0..255, uint8."""
        inputs = [array(images)]
        if inputs[0].dtype != np.uint8 or not self.library.has('read', inputs):
            return self.network.read(images)
        *maps, objects = (tensor(one) for one in self.library.run('read', inputs))
        fresh = torch.zeros(len(objects), STALENESS, *objects.shape[2:])
        return Features(tuple(maps), fresh, objects)

    def correct(
        self, forecast: Features, preview: Preview, previous: Preview
    ) -> tuple[Moving, Tensor]:
        """Find how the picture moved, and ask the scheduler about that."""
        motion = Motion.between(preview, previous)
        known = np.concatenate([array(forecast.staleness), array(forecast.objects)], axis=-1)
        inputs = [known, motion.coarse, array(preview.picture), motion.expected, motion.reach]
        if not self.library.has('judge', inputs):
            return self.network.correct(forecast, preview, previous)
        staleness, objects, surprise, logits = self.library.run('judge', inputs)
        return Moving(
            forecast.maps, tensor(motion.flow), preview.picture, tensor(motion.expected),
            tensor(staleness), tensor(objects), torch.from_numpy(logits),
        ), tensor(surprise)

    def settle(self, corrected: Moving) -> Features:
        """Move F, and correct it by what the thumbnail shows."""
        maps = [array(one) for one in corrected.maps]
        seen = [array(one) for one in (corrected.now, corrected.expected, corrected.staleness)]
        corrects = self.network.correction is not None
        if corrects and not self.library.has('change', [*seen, *maps]):
            return self.network.settle(corrected)
        ways = (sampler(one) for one in coarser(array(corrected.flow), CELLS))
        maps = [moved(one, way) for one, way in zip(maps, ways)]
        changes = self.library.run('change', [*seen, *maps]) if corrects else []
        for one, change in zip(maps, changes):
            one[..., -FOUND:] += change
        return Features(
            tuple(tensor(one) for one in maps), corrected.staleness, corrected.objects)

    def schedule(self, features: Moving, converted: Features, surprise: Tensor) -> Tensor:
        """Give the logits of the scheduler, (B, 2)."""
        if features.logits is not None:
            return features.logits
        return self.network.schedule(features, converted, surprise)

    def detect(self, features: Features) -> tuple[Tensor, ...]:
        """Give F: what the last layer for classes is asked for is known where objects are."""
        return features.maps

    def decoding(self, input_size: tuple[int, int]) -> SparseDecoding:
        """Return the decoding for an input of (height, width) pixels."""
        return SparseDecoding.of(self.network)
