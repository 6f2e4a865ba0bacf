"""Maps of two strides in one F: the finer one folded into channels of the cells of the coarser."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .backbone import ConvNormAct

# A cell at stride 32 holds so many cells of the map at stride 16 on each axis.
CELLS = 2


def fold(maps: Sequence[Tensor]) -> Tensor:
    """
    Lay maps of one or two strides into one; the inverse of :func:`unfold`.

    :param maps: finest first: (B, D, 2 H, 2 W), if there is such a map, and (B, C, H, W).
    :returns: (B, C + 4 D, H, W).
    """
    if len(maps) == 1:
        return maps[0]
    fine, coarse = maps
    return torch.cat([coarse, F.pixel_unshuffle(fine, CELLS)], dim=1)


def unfold(features: Tensor, channels: int) -> list[Tensor]:
    """
    Take F apart; the inverse of :func:`fold`.

    :param features: (B, C + 4 D, H, W).
    :param channels: C; where it is all channels there is no finer map.
    """
    if features.shape[1] == channels:
        return [features]
    return [F.pixel_shuffle(features[:, channels:], CELLS), features[:, :channels]]


class FineNeck(nn.Module):
    """
    The map at stride 16, with what the coarser one knows added (Lin et al. 2017, FPN).

    :ivar lateral: from the backbone's stage at stride 16; ``top``: from the map at stride 32.
    """

    def __init__(self, stage_channels: int, coarse_channels: int, channels: int) -> None:
        super().__init__()
        self.lateral = ConvNormAct(stage_channels, channels, activate=False)
        self.top = nn.Conv2d(coarse_channels, channels, 1, bias=False)

    def forward(self, stage: Tensor, coarse: Tensor) -> Tensor:
        """
        Make the finer map.

        :param stage: (B, C', 2 H, 2 W), the backbone's.
        :param coarse: (B, C, H, W).
        :returns: (B, D, 2 H, 2 W).
        """
        top = F.interpolate(self.top(coarse), scale_factor=CELLS, mode='nearest')
        return F.relu6(self.lateral(stage) + top)
