"""YOLOX with forecasts, compiled: a READ is one call, and a FORECAST one once motion is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn, Tensor

from ..model.yolox.backbone import STRIDES
from ..model.yolox.head import YoloxHead
from ..model.yolox.motion import backward_flow
from ..model.yolox.network import Features, Preview, YoloxNetwork
from .arrays import array, tensor
from .grid import Level, SparseDecoding
from .library import Library
from .part import first, last, Part

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


class CompiledYolox:
    """
    The same network, its work done by compiled parts.

    What was not prepared runs in PyTorch, with the same answers.

    :ivar network: the network itself.
    """

    def __init__(
        self, network: YoloxNetwork, library: Library, input_size: tuple[int, int]
    ) -> None:
        self.network, self.library, self._input_size = network, library, input_size

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the network has."""
        return getattr(self.network, name)

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
        return [*maps, (*maps[-1][:2], 2), (*small, 3), (*small, 3), (*small, 2)]

    def read(self, images: Tensor) -> Answered:
        """Make F of images, (B, 3, H, W), RGB, 0..255, uint8; and what the head makes of it."""
        inputs = [array(images)]
        if inputs[0].dtype != np.uint8 or not self.library.has('read', inputs):
            return self._answered(self.network.read(images))
        made = [tensor(one) for one in self.library.run('read', inputs)]
        maps, coarse = tuple(made[:LEVELS]), made[LEVELS - 1]
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
        flow = backward_flow(preview.grey, previous.grey)
        inputs = [array(one) for one in (
            *before.maps, before.staleness, preview.picture, previous.picture, flow
        )]
        if not self.library.has('forecast', inputs):
            features, surprise = self.network.correct(before, preview, previous)
            logits = self.network.schedule(features, features, surprise)
            return self._answered(features), Judged(surprise, logits)
        *maps, answer = self.library.run('forecast', inputs)
        parts = [tensor(one) for one in maps]
        features = Features(tuple(parts[:LEVELS]), parts[LEVELS])
        judged = Judged(parts[LEVELS + 1], torch.from_numpy(answer))
        return self._joined(features, parts[LEVELS + 2:]), judged

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
        return SparseDecoding.of(self.network, input_size)

    def _answered(self, features: Features) -> Answered:
        """Run the head on F that came another way."""
        inputs = [array(one) for one in features.maps]
        if self.library.has('head', inputs):
            made = [tensor(one) for one in self.library.run('head', inputs)]
        else:
            made = list(head_outputs(self.network.head, features.maps))
        return self._joined(features, made)

    def _joined(self, features: Features, made: Sequence[Tensor]) -> Answered:
        classes = iter(made[2 * LEVELS:])
        return Answered(features, tuple(
            Level(None if behind else next(classes), boxes, objects)
            for behind, boxes, objects in zip(
                self.network.head.towers, made[:LEVELS], made[LEVELS:2 * LEVELS])
        ))


def head_outputs(head: YoloxHead, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """
    Run the head, but for its last layer for classes: few cells need that.

    :returns: boxes of each map, objects of each map, and the towers for classes of those maps
        that are not behind them already.
    """
    boxes, objects, classes = [], [], []
    for level, x in enumerate(maps):
        if head.towers[level]:
            of_boxes = x[:, head.width:]
        else:
            of_boxes = head.reg_convs[level](x)
            classes.append(head.cls_convs[level](x))
        boxes.append(head.reg_preds[level](of_boxes))
        objects.append(head.obj_preds[level](of_boxes))
    return (*boxes, *objects, *classes)


class Head(nn.Module):
    """From F to what the head makes of it."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.head = network.head

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, ...]:
        """Take maps of F; see :func:`head_outputs`."""
        maps = [first(one) for one in (fine, middle, coarse)]
        return tuple(last(one) for one in head_outputs(self.head, maps))


class Read(nn.Module):
    """From an image to F, and what the head makes of it."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.backbone, self.head = network.backbone, network.head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Take images, (B, H, W, 3), uint8."""
        maps = self.head.begin(self.backbone(first(images).float()))
        return tuple(last(one) for one in (*maps, *head_outputs(self.head, maps)))


class Forecast(nn.Module):
    """From F of the frame before and motion to F, its judgement and what the head makes of it."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, fine: Tensor, middle: Tensor, coarse: Tensor, staleness: Tensor, now: Tensor,
        before: Tensor, flow: Tensor,
    ) -> tuple[Tensor, ...]:
        """
        Take F of the frame before, both pictures (uint8), and where things were.

        :returns: F, staleness, surprise, what the head makes of F, logits of the scheduler.
        """
        features = Features(tuple(first(x) for x in (fine, middle, coarse)), first(staleness))
        moved, surprise = self.network.corrected(features, first(now), first(before), first(flow))
        logits = self.network.schedule(moved, moved, surprise)
        outputs = head_outputs(self.network.head, moved.maps)
        maps = (*moved.maps, moved.staleness, surprise, *outputs)
        return (*(last(one) for one in maps), logits)


def parts(network: YoloxNetwork, input_size: tuple[int, int]) -> Mapping[str, Part]:
    """Take a network apart, for inputs of a size."""
    height, width = input_size

    def noise(stride: int, channels: int) -> Tensor:
        return torch.rand(2, height // stride, width // stride, channels)

    maps = [noise(*one) for one in zip(STRIDES, network.config.map_channels)]
    pictures = [(255 * noise(network.reduction, 3)).to(torch.uint8) for _ in range(2)]
    motion = [noise(STRIDES[-1], 2), *pictures, noise(network.reduction, 2)]
    return {
        'read': Part(Read(network), [(255 * noise(1, 3)).to(torch.uint8)]),
        'head': Part(Head(network), maps),
        'forecast': Part(Forecast(network), [*maps, *motion]),
    }
