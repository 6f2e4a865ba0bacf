"""The SSDLite head: coarser maps from Fm, then classes and boxes for every anchor."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn, Tensor

from ..config import AnchorConfig
from .backbone import ConvNormAct


class HeadOutput(NamedTuple):
    """
    Raw predictions for A anchors.

    ``cls_logits`` is (B, A, K + 1), class 0 the background; ``bbox_regression`` is (B, A, 4).
    """

    cls_logits: Tensor
    bbox_regression: Tensor


def extra_layer(in_channels: int, out_channels: int) -> nn.Sequential:
    """Halve a map: 1x1 to half the width, 3x3 depthwise at stride 2, 1x1."""
    hidden = out_channels // 2
    return nn.Sequential(
        ConvNormAct(in_channels, hidden),
        ConvNormAct(hidden, hidden, 3, 2, groups=hidden),
        ConvNormAct(hidden, out_channels),
    )


def predictor(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 depthwise, then 1x1 to the outputs."""
    return nn.Sequential(
        ConvNormAct(in_channels, in_channels, 3, groups=in_channels),
        nn.Conv2d(in_channels, out_channels, 1),
    )


class SSDLiteHead(nn.Module):
    """Detect on Fm and on the extra maps made from it (Sandler et al. 2018)."""

    def __init__(
        self,
        channels: tuple[int, ...],
        extra_channels: tuple[int, ...],
        anchors: AnchorConfig,
        classes: int,
    ) -> None:
        """
        Make the layers.

        :param channels: of the maps of Fm, finest first.
        :param extra_channels: of those made from the last one, each of half the size.
        :param anchors: for each of all these levels.
        :param classes: K, without the background.
        """
        super().__init__()
        self.classes, self._given = classes, len(channels)
        widths = (*channels, *extra_channels)
        self.extras = nn.ModuleList(
            [extra_layer(w, extra) for w, extra in zip(widths[self._given - 1:], extra_channels)]
        )
        counts = [anchors.per_cell(level) for level in range(len(widths))]
        self.classification = nn.ModuleList(
            [predictor(w, n * (classes + 1)) for w, n in zip(widths, counts)]
        )
        self.regression = nn.ModuleList([predictor(w, n * 4) for w, n in zip(widths, counts)])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.03)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def map_sizes(self, first: tuple[int, int]) -> list[tuple[int, int]]:
        """Cells (height, width) of each level, given those of the finest."""
        sizes = [first]
        for _ in range(self._given - 1 + len(self.extras)):
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        return sizes

    def forward(self, features: list[Tensor]) -> HeadOutput:
        """
        Predict classes and boxes.

        :param features: the maps of Fm, (B, C, H, W) each, finest first.
        """
        maps = list(features)
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        batch = maps[0].shape[0]

        def flat(output: Tensor, width: int) -> Tensor:
            return output.permute(0, 2, 3, 1).reshape(batch, -1, width)

        return HeadOutput(
            torch.cat(
                [flat(c(m), self.classes + 1) for c, m in zip(self.classification, maps)], dim=1
            ),
            torch.cat([flat(r(m), 4) for r, m in zip(self.regression, maps)], dim=1),
        )
