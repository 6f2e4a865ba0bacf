"""The layers that YOLOX is built of. Names of parameters are those of published weights."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn, Tensor
import torch.nn.functional as F


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1,
         groups: int = 1) -> nn.Sequential:
    """Convolution, norm, SiLU."""
    return nn.Sequential(OrderedDict(
        conv=nn.Conv2d(
            in_channels, out_channels, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
        ),
        bn=nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.03),
        act=nn.SiLU(inplace=True),
    ))


def conv3(in_channels: int, out_channels: int, stride: int, depthwise: bool) -> nn.Sequential:
    """3x3 convolution, or its depthwise separable form."""
    if not depthwise:
        return conv(in_channels, out_channels, 3, stride)
    return nn.Sequential(OrderedDict(
        dconv=conv(in_channels, in_channels, 3, stride, in_channels),
        pconv=conv(in_channels, out_channels, 1),
    ))


class Focus(nn.Module):
    """Each 2x2 block of the image folded into channels, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv(12, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Halve (B, 3, H, W)."""
        # Columns before rows is the order of published weights.
        blocks = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        folded: Tensor = self.conv(torch.cat(blocks, dim=1))
        return folded


class Bottleneck(nn.Module):
    """1x1, then 3x3, with a shortcut where there is one."""

    def __init__(self, channels: int, shortcut: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, 1)
        self.conv2 = conv3(channels, channels, 1, depthwise)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape of (B, C, H, W)."""
        y: Tensor = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class CSPLayer(nn.Module):
    """Cross stage partial layer (Wang et al. 2020): bottlenecks on half of the channels."""

    def __init__(
        self, in_channels: int, out_channels: int, count: int, depthwise: bool,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        half = out_channels // 2
        self.conv1 = conv(in_channels, half, 1)
        self.conv2 = conv(in_channels, half, 1)
        self.conv3 = conv(2 * half, out_channels, 1)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut, depthwise) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        first, second = self.conv1(x), self.conv2(x)
        joined: Tensor = self.conv3(torch.cat([self.m(first), second], dim=1))
        return joined


class SPPBottleneck(nn.Module):
    """Spatial pyramid pooling: maxima over 5, 9 and 13 cells beside the map itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels // 2, 1)
        self.conv2 = conv(4 * (channels // 2), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape of (B, C, H, W)."""
        x = self.conv1(x)
        pooled = [F.max_pool2d(x, size, 1, size // 2) for size in (5, 9, 13)]
        y: Tensor = self.conv2(torch.cat([x, *pooled], dim=1))
        return y
