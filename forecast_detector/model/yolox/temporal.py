"""What corrects moved maps, and what judges them."""

from __future__ import annotations

from collections.abc import Sequence
import math

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from ..encoder import separable
from .backbone import STRIDES
from .config import FOUND

# Staleness: how much of the picture nothing explained since the last READ, and frames since.
STALENESS = 2
# What motion leaves unexplained in a cell, its mean and its peak; and how far things moved.
SURPRISE = 3
# How sure each stride is of an object.
OBJECTS = len(STRIDES)
# Mean difference of grey values, as a share of their range, of pictures with little in common.
CUT = 0.1
# Colours, and what motion leaves unexplained of them.
SEEN = 6


def shrink(in_channels: int, out_channels: int) -> nn.Sequential:
    """Halve a map."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, 2, 1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1),
    )


def _silent(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Make a 1x1 convolution that gives zeros until it is trained."""
    layer = nn.Conv2d(in_channels, out_channels, 1)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class Correction(nn.Module):
    """
    Correct boxes and objects of moved maps by what the picture shows.

    What is added starts at zero: untrained, maps are moved, and no more. Widths double with the
    stride, as cells grow four times fewer.
    """

    def __init__(self, channels: int, width: int) -> None:
        """
        Make the layers.

        :param channels: of a map of F; ``width``: of the finest map's layers.
        """
        super().__init__()
        widths = [width * 2**level for level in range(len(STRIDES))]
        self.stem = nn.Conv2d(SEEN, width, 3, 2, 1)
        self.stages = nn.ModuleList([
            separable(width, width), *(shrink(a, b) for a, b in zip(widths, widths[1:]))
        ])
        self.reduce = nn.ModuleList(nn.Conv2d(channels, one, 1) for one in widths)
        self.mix = nn.ModuleList(separable(2 * one + STALENESS, one) for one in widths)
        self.spread = nn.ModuleList(separable(one, one) for one in widths)
        self.project = nn.ModuleList(_silent(one, FOUND) for one in widths)

    def forward(
        self, maps: tuple[Tensor, ...], seen: Tensor, staleness: Tensor
    ) -> tuple[Tensor, ...]:
        """
        Correct maps.

        :param maps: moved, (B, C, h, w) each, finest first.
        :param seen: the picture, and what motion leaves unexplained of it, (B, 6, H/4, W/4).
        :param staleness: (B, 2, H/32, W/32).
        """
        reduced = [reduce(one) for reduce, one in zip(self.reduce, maps)]
        return tuple(
            torch.cat([one[:, :-FOUND], one[:, -FOUND:] + change], dim=1)
            for one, change in zip(maps, self.changes(reduced, seen, staleness))
        )

    def changes(
        self, reduced: Sequence[Tensor], seen: Tensor, staleness: Tensor
    ) -> list[Tensor]:
        """
        Give what is added to boxes and objects, (B, 5, h, w) each.

        :param reduced: what :attr:`reduce` makes of the maps.
        """
        x, made = F.silu(self.stem(seen)), []
        for level, one in enumerate(reduced):
            x = F.silu(self.stages[level](x))
            stale = F.interpolate(staleness, one.shape[2:], mode='nearest')
            mixed = F.silu(self.mix[level](torch.cat([F.silu(one), x, stale], dim=1)))
            made.append(self.project[level](F.silu(self.spread[level](mixed))))
        return made


class FixedTrust(nn.Module):
    """In the scheduler's place before training: every forecast is as good, but for cuts."""

    def __init__(self, trust: float) -> None:
        super().__init__()
        self.logit = math.log(trust / (1 - trust))

    def forward(self, surprise: Tensor) -> Tensor:
        """Score READ and FORECAST, by the surprise, (B, 3, H/32, W/32); logits, (B, 2)."""
        same = surprise[:, 0].mean(dim=(1, 2)) < CUT
        forecast = torch.where(same, self.logit, -20.0).to(surprise.dtype)
        return torch.stack([torch.zeros_like(forecast), forecast], dim=1)


class MapScheduler(nn.Module):
    """
    Judge a forecast: where its objects are, how stale it is, what motion does not explain.

    Three convolutions at stride 32, then sums and peaks over the picture: what is expected to go
    wrong adds up over objects.
    """

    def __init__(self, width: int) -> None:
        """
        Make the layers.

        :param width: their channels.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(OBJECTS + STALENESS + SURPRISE, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1)
        self.fc = nn.Linear(2 * width, 2)

    def forward(self, objects: Tensor, staleness: Tensor, surprise: Tensor) -> Tensor:
        """
        Score READ and FORECAST.

        :param objects: how sure each stride is of one, (B, 3, H/32, W/32), in [0, 1].
        :param staleness: (B, 2, H/32, W/32); ``surprise``: (B, 3, H/32, W/32).
        :returns: logits, (B, 2).
        """
        x = torch.cat([objects, staleness, surprise], dim=1)
        x = F.silu(self.conv1(x))
        x = F.silu(self.conv3(F.silu(self.conv2(x))))
        pooled = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.fc(pooled)
        return logits
