"""CSPDarknet and the path aggregation network on it: from an image to maps at three strides."""

from __future__ import annotations

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .blocks import conv, conv3, CSPLayer, Focus, SPPBottleneck
from .config import YoloxConfig

STRIDES = (8, 16, 32)
Three = tuple[Tensor, Tensor, Tensor]


class CSPDarknet(nn.Module):
    """The backbone: a stem and four stages."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        base, count, depthwise = config.channels, config.bottlenecks, config.depthwise

        def stage(channels: int, length: int) -> nn.Sequential:
            return nn.Sequential(
                conv3(channels // 2, channels, 2, depthwise),
                CSPLayer(channels, channels, length, depthwise),
            )

        self.stem = Focus(base)
        self.dark2 = stage(2 * base, count)
        self.dark3 = stage(4 * base, 3 * count)
        self.dark4 = stage(8 * base, 3 * count)
        self.dark5 = nn.Sequential(
            conv3(8 * base, 16 * base, 2, depthwise),
            SPPBottleneck(16 * base),
            CSPLayer(16 * base, 16 * base, count, depthwise, shortcut=False),
        )

    def forward(self, images: Tensor) -> Three:
        """Map (B, 3, H, W) to maps at strides 8, 16 and 32."""
        return self.stages(self.stem(images))

    def stages(self, x: Tensor) -> Three:
        """Do the same from the stem's output on."""
        fine = self.dark3(self.dark2(x))
        middle = self.dark4(fine)
        return fine, middle, self.dark5(middle)


class Pafpn(nn.Module):
    """The path aggregation network: coarse maps inform fine ones, then fine ones coarse ones."""

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        base, count, depthwise = config.channels, config.bottlenecks, config.depthwise

        def csp(in_channels: int, out_channels: int) -> CSPLayer:
            return CSPLayer(in_channels, out_channels, count, depthwise, shortcut=False)

        self.backbone = CSPDarknet(config)
        self.lateral_conv0 = conv(16 * base, 8 * base, 1)
        self.C3_p4 = csp(16 * base, 8 * base)
        self.reduce_conv1 = conv(8 * base, 4 * base, 1)
        self.C3_p3 = csp(8 * base, 4 * base)
        self.bu_conv2 = conv3(4 * base, 4 * base, 2, depthwise)
        self.C3_n3 = csp(8 * base, 8 * base)
        self.bu_conv1 = conv3(8 * base, 8 * base, 2, depthwise)
        self.C3_n4 = csp(16 * base, 16 * base)

    def forward(self, images: Tensor) -> Three:
        """
        Map images to maps at three strides.

        :param images: (B, 3, H, W), RGB, 0..255.
        :returns: (B, 256 w, H/8, W/8), (B, 512 w, H/16, W/16), (B, 1024 w, H/32, W/32).
        """
        return self.join(*self.backbone(images))

    def join(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Three:
        """Do the same from the backbone's maps on."""
        coarse = self.lateral_conv0(coarse)
        middle = self.C3_p4(torch.cat([_double(coarse), middle], dim=1))
        middle = self.reduce_conv1(middle)
        fine = self.C3_p3(torch.cat([_double(middle), fine], dim=1))
        middle = self.C3_n3(torch.cat([self.bu_conv2(fine), middle], dim=1))
        coarse = self.C3_n4(torch.cat([self.bu_conv1(middle), coarse], dim=1))
        return fine, middle, coarse


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode='nearest')
