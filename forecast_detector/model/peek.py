"""A peek: a small thumbnail of the frame corrects its forecast. Ours; the paper has none."""

from __future__ import annotations

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from .encoder import separable
from .motion import move, phase_correlation
from .strides import fold, unfold

# Backbone stages that run on a thumbnail: those up to stride 8.
STAGES = 4
STAGE_STRIDE = 8
HIDDEN = 128
# Maps that tell where the picture is not the one before, moved: its mean and its peak in a cell.
SURPRISE = 2


class Peek(nn.Module):
    """
    Move a forecast along with the picture, and correct it by what the thumbnails show.

    A blind forecast cannot see a new object or a turn of the camera. The correction is added,
    and starts at zero: an untrained peek moves, and no more.

    The preview of a thumbnail is what the first stages of the backbone make of it, and its grey
    values, both folded into channels of the cells of F.
    """

    def __init__(
        self, channels: int, preview_channels: int, cell: int, coarse_channels: int
    ) -> None:
        """
        Make the layers.

        :param channels: of F.
        :param preview_channels: of a preview, without its grey values.
        :param cell: side of a cell of F on the thumbnail, pixels.
        :param coarse_channels: those of F that are no folded finer map.
        """
        super().__init__()
        self.cell, self._coarse = cell, coarse_channels
        self.reduce = nn.Conv2d(2 * preview_channels, HIDDEN, 1)
        self.mix = separable(channels + HIDDEN, channels)
        self.spread = separable(channels, channels)
        self.project = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.project.weight)
        assert self.project.bias is not None
        nn.init.zeros_(self.project.bias)

    def forward(self, forecast: Tensor, now: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """
        Correct the forecast of a frame.

        :param forecast: Fc of the step before, (B, C, H, W).
        :param now: preview of this frame, (B, L, H, W); ``before``: of the frame before.
        :returns: F of this frame, if it is a FORECAST, and the surprise: how much of the picture
            the camera's motion does not explain (cuts, new objects, own motion), (B, 2, H, W).
        """
        return self.corrected(
            forecast, now, before, phase_correlation(*self.pictures(before, now)))

    def corrected(
        self, forecast: Tensor, now: Tensor, before: Tensor, shift: Tensor
    ) -> tuple[Tensor, Tensor]:
        """
        Do what :meth:`forward` does, once the camera's motion is known.

        :param shift: of :func:`~.motion.phase_correlation`, (B, 2).
        """
        grey = self.cell**2
        moved = self.move(forecast, shift)
        surprise = self._surprise(*self.pictures(before, now), shift)
        now, before = now[:, :-grey], before[:, :-grey]
        seen = F.relu6(self.reduce(torch.cat([now, now - before], dim=1)))
        mixed = F.relu6(self.mix(torch.cat([moved, seen], dim=1)))
        corrected: Tensor = moved + self.project(F.relu6(self.spread(mixed)))
        return corrected, surprise

    def go_on(self, forecast: Tensor, now: Tensor, before: Tensor) -> Tensor:
        """
        Move a forecast of the next frame, not seen yet, as the picture last moved.

        :param forecast: Fc, (B, C, H, W); ``now`` and ``before``: previews of the last two frames.
        """
        return self.move(forecast, phase_correlation(*self.pictures(before, now)))

    def move(self, features: Tensor, shift: Tensor) -> Tensor:
        """Move the maps of F, each at its own stride."""
        return fold([move(part, shift) for part in unfold(features, self._coarse)])

    def pictures(self, before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        """Unfold the grey values of previews, (B, h, w) each."""
        first, second = (
            F.pixel_shuffle(one[:, -self.cell**2:], self.cell)[:, 0] for one in (before, now)
        )
        return first, second

    def _surprise(self, before: Tensor, now: Tensor, shift: Tensor) -> Tensor:
        expected = move(before[:, None].float(), shift)
        difference = (now[:, None].float() - expected).abs()
        return torch.cat(
            [F.avg_pool2d(difference, self.cell), F.max_pool2d(difference, self.cell)], dim=1
        )
