"""YOLOX with forecasts, compiled: a READ is one call, and a FORECAST one once motion is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..model.yolox.backbone import STRIDES
from ..model.yolox.motion import backward_flows
from ..model.yolox.network import Features, Preview, YoloxNetwork
from .arrays import Array, array, tensor
from .compiled import Compiled
from .grid import Level, SparseDecoding
from .moving import coarser, moved, moved_pictures, reach, sampler

LEVELS = len(STRIDES)


class Answered(NamedTuple):
    """
    F of a frame, and what the head makes of it.

    :ivar levels: finest first.
    """

    features: Features
    levels: tuple[Level, ...]


class Judged(NamedTuple):
    """The surprise of a frame, and what the scheduler makes of it."""

    surprise: Tensor
    logits: Tensor


def plain(features: Features | Answered) -> Features:
    """Leave out what the head made of them."""
    return features.features if isinstance(features, Answered) else features


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
            self.library.prepare('head', self._map_shapes(), batch)

    def _map_shapes(self) -> list[tuple[int, ...]]:
        return [
            (*(side // stride for side in self._input_size), channels)
            for stride, channels in zip(STRIDES, self.network.config.map_channels)
        ]

    def _forecast_shapes(self) -> list[tuple[int, ...]]:
        maps, small = self._map_shapes(), [side // self.reduction for side in self._input_size]
        coarse = maps[-1][:2]
        return [*maps, (*coarse, 2), (*small, 3), (3, *small), (*coarse, 1)]

    def read(self, images: Tensor) -> Answered:
        """Make F of images, (B, 3, H, W), RGB, 0..255, uint8; and what the head makes of it."""
        inputs = [array(images)]
        if inputs[0].dtype != np.uint8 or not self.library.has('read', inputs):
            return self._answered(self.network.read(images))
        made = self.library.run('read', inputs)
        maps = tuple(tensor(one) for one in made[:LEVELS])
        coarse = maps[-1]
        staleness = torch.zeros(len(coarse), 2, *coarse.shape[2:])
        return self._joined(Features(maps, staleness), made[LEVELS:])

    def preview(self, thumbnails: Tensor) -> Preview:
        """Keep thumbnails, and make them grey and smooth."""
        return self.network.preview(thumbnails)

    def correct(
        self, forecast: Features | Answered, preview: Preview, previous: Preview
    ) -> tuple[Answered, Judged]:
        """Move F along with the picture, and correct it; the scheduler is asked on the way."""
        before = plain(forecast)
        if [tuple(one.shape[1:]) for one in map(array, before.maps)] != self._map_shapes():
            features, surprise = self.network.correct(before, preview, previous)
            logits = self.network.schedule(features, features, surprise)
            return self._answered(features), Judged(surprise, logits)
        flow, cells = backward_flows(preview.grey.numpy(), previous.grey.numpy()), self.cells
        by = [sampler(one) for one in coarser(flow, cells)]
        carried = [moved(array(one), way) for one, way in zip(before.maps, by)]
        made = iter(self.library.run('forecast', [
            *carried, moved(array(before.staleness), by[-1]), array(preview.picture),
            moved_pictures(previous.picture, flow), reach(flow, cells[-1]),
        ]))
        answer, stale, why = next(made), next(made), next(made)
        if self.network.correction is not None:
            for each in carried:
                each += next(made)
        features = Features(tuple(tensor(one) for one in carried), tensor(stale))
        judged = Judged(tensor(why), torch.from_numpy(answer))
        return self._joined(features, list(made)), judged

    def extrapolate(
        self, forecast: Features | Answered, preview: Preview, previous: Preview
    ) -> Answered:
        """Move F of a frame that has not come yet, as the picture last moved."""
        return self._answered(self.network.extrapolate(plain(forecast), preview, previous))

    def zero_state(self, features: Features | Answered) -> None:
        """There is none."""

    def encode(self, features: Answered, state: None) -> tuple[Answered, Answered, None]:
        """Give F as the forecast and as the converted map."""
        return features, features, None

    def combine(self, features: Answered, converted: Answered) -> Answered:
        """Give what the detector sees: F."""
        return features

    def schedule(
        self, features: Features | Answered, converted: Features | Answered,
        surprise: Tensor | Judged,
    ) -> Tensor:
        """Give the logits of the scheduler, (B, 2)."""
        if isinstance(surprise, Judged):
            return surprise.logits
        return self.network.schedule(plain(features), plain(converted), surprise)

    def detect(self, features: Features | Answered) -> tuple[Level, ...]:
        """Give what the head makes of F."""
        answered = features if isinstance(features, Answered) else self._answered(features)
        head = self.network.head
        return tuple(
            level._replace(classes=one[:, :head.width]) if behind else level
            for behind, level, one in zip(head.towers, answered.levels, answered.features.maps)
        )

    def decoding(self, input_size: tuple[int, int]) -> SparseDecoding:
        """Return the decoding for an input of (height, width) pixels."""
        return SparseDecoding.of(self.network)

    def _answered(self, features: Features) -> Answered:
        """Run the head on F that came another way."""
        inputs = [array(one) for one in features.maps]
        if self.library.has('head', inputs):
            return self._joined(features, self.library.run('head', inputs))
        head = self.network.head
        return Answered(features, tuple(
            Level.of(head, level, one) for level, one in enumerate(features.maps)))

    def _joined(self, features: Features, made: Sequence[Array]) -> Answered:
        outputs = [tensor(one) for one in made]
        classes = iter(outputs[LEVELS:])
        return Answered(features, tuple(
            Level(None if behind else next(classes), found)
            for behind, found in zip(self.network.head.towers, outputs[:LEVELS])
        ))
