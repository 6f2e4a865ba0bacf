"""
The decoupled head, in two parts: all but its last layer for classes, and that layer.

F lies between them. A FORECAST so has next to nothing left to do, and only where there is an
object; what is moved are boxes and objects themselves, and what classes are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .backbone import STRIDES, Three
from .blocks import conv, conv3
from .config import FOUND, YoloxConfig

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


def peaks(objects: Sequence[Tensor]) -> Tensor:
    """
    Say how sure each stride is of an object, in cells of the coarsest.

    :param objects: logits, (B, 1, h, w), finest first.
    :returns: (B, 3, H/32, W/32), in [0, 1].
    """
    return torch.cat([
        F.max_pool2d(one, STRIDES[-1] // stride) if stride < STRIDES[-1] else one
        for one, stride in zip(objects, STRIDES)
    ], dim=1).sigmoid()


class YoloxHead(nn.Module):
    """Stems, towers for classes and for boxes, and one convolution each for the outputs."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
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
        """Make F of the maps of the path aggregation network: classes' tower, boxes, objects."""
        return tuple(
            torch.cat(self.towers(level, x), dim=1) for level, x in enumerate(maps)
        )

    def towers(self, level: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the parts of a map of F: the tower for classes, boxes and objects."""
        x = self.stems[level](x)
        classes, boxes = self.cls_convs[level](x), self.reg_convs[level](x)
        return classes, self.reg_preds[level](boxes), self.obj_preds[level](boxes)

    def finish(self, maps: tuple[Tensor, ...]) -> tuple[Raw, ...]:
        """Make raw outputs of F."""
        return tuple(
            Raw(self.cls_preds[level](classes), boxes, objects)
            for level, (classes, boxes, objects) in enumerate(
                x.split((self.width, FOUND - 1, 1), dim=1) for x in maps)
        )
