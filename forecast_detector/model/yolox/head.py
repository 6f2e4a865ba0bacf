"""The decoupled head, in two parts: what a READ does of it, and what a FORECAST does."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .backbone import STRIDES, Three
from .blocks import conv, conv3
from .config import YoloxConfig

# An untrained head finds next to nothing (Lin et al. 2017).
PRIOR = 0.01


class Raw(NamedTuple):
    """
    Outputs at one stride, as logits.

    :ivar classes: (B, classes, h, w); ``boxes``: (B, 4, h, w); ``objects``: (B, 1, h, w).
    """

    classes: Tensor
    boxes: Tensor
    objects: Tensor

    @property
    def scores(self) -> Tensor:
        """The score of every class in every cell, (B, classes, h, w), in [0, 1]."""
        return self.classes.sigmoid() * self.objects.sigmoid()


class YoloxHead(nn.Module):
    """Stems, towers for classes and for boxes, and one convolution each for the outputs."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        self.towers = config.towers
        width, depthwise = config.head_channels, config.depthwise
        self.width = width

        def tower() -> nn.Sequential:
            return nn.Sequential(*(conv3(width, width, 1, depthwise) for _ in range(2)))

        def outputs(channels: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(width, channels, 1) for _ in STRIDES)

        self.stems = nn.ModuleList(
            conv(4 * config.channels * 2**level, width, 1) for level in range(len(STRIDES))
        )
        self.cls_convs = nn.ModuleList(tower() for _ in STRIDES)
        self.reg_convs = nn.ModuleList(tower() for _ in STRIDES)
        self.cls_preds = outputs(len(config.labels))
        self.reg_preds = outputs(4)
        self.obj_preds = outputs(1)
        for layer in [*self.cls_preds, *self.obj_preds]:
            nn.init.constant_(layer.bias, -math.log((1 - PRIOR) / PRIOR))

    def begin(self, maps: Three) -> tuple[Tensor, ...]:
        """Make F of the maps of the path aggregation network."""
        stems = (stem(x) for stem, x in zip(self.stems, maps))
        return tuple(
            torch.cat(self._towers(level, x), dim=1) if self.towers[level] else x
            for level, x in enumerate(stems)
        )

    def finish(self, maps: tuple[Tensor, ...]) -> tuple[Raw, ...]:
        """Make raw outputs of F."""
        return tuple(self._finish(level, x) for level, x in enumerate(maps))

    def peaks(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Say how sure each stride is of an object, in cells of the coarsest: (B, 3, h, w)."""
        peaks = []
        for level, x in enumerate(maps):
            boxes = x[:, self.width:] if self.towers[level] else self.reg_convs[level](x)
            objects = self.obj_preds[level](boxes).sigmoid()
            peaks.append(F.adaptive_max_pool2d(objects, maps[-1].shape[2:]))
        return torch.cat(peaks, dim=1)

    def _towers(self, level: int, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_convs[level](x), self.reg_convs[level](x)

    def _finish(self, level: int, x: Tensor) -> Raw:
        classes, boxes = (
            x.split(self.width, dim=1) if self.towers[level] else self._towers(level, x)
        )
        return Raw(
            self.cls_preds[level](classes), self.reg_preds[level](boxes),
            self.obj_preds[level](boxes),
        )
