"""A peek: a small thumbnail of the frame corrects its forecast. Ours; the paper has none."""

from __future__ import annotations

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .encoder import separable

# Backbone stages that look at a thumbnail: those up to stride 8.
STAGES = 4
STAGE_STRIDE = 8
HIDDEN = 128


class Peek(nn.Module):
    """
    Correct a forecast by what two thumbnails, of this frame and the last one, show.

    A blind forecast cannot see a new object or a turn of the camera. The correction is added,
    and starts at zero: at initialisation the corrected forecast is the forecast.
    """

    def __init__(self, channels: int, look_channels: int) -> None:
        """
        Make the layers.

        :param channels: of F.
        :param look_channels: of the features of a thumbnail.
        """
        super().__init__()
        self.reduce = nn.Conv2d(2 * look_channels, HIDDEN, 1)
        self.mix = separable(channels + HIDDEN, channels)
        self.spread = separable(channels, channels)
        self.project = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.project.weight)
        assert self.project.bias is not None
        nn.init.zeros_(self.project.bias)

    def forward(self, forecast: Tensor, now: Tensor, before: Tensor) -> Tensor:
        """
        Correct the forecast of a frame.

        :param forecast: Fc of the step before, (B, C, H, W).
        :param now: features of this frame's thumbnail, (B, L, H, W).
        :param before: likewise of the frame before.
        """
        looks = F.relu6(self.reduce(torch.cat([now, now - before], dim=1)))
        mixed = F.relu6(self.mix(torch.cat([forecast, looks], dim=1)))
        corrected: Tensor = forecast + self.project(F.relu6(self.spread(mixed)))
        return corrected
