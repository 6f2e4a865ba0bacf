"""YOLOX with forecasts: its maps move along with the picture, and are corrected."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from ...layout import tensor
from .backbone import Pafpn, STRIDES
from .config import YoloxConfig
from .decoding import GridDecoding
from .head import peaks, Raw, YoloxHead
from .motion import lay_grids, move
from .preview import backward_flow, Flow, Motion, PICTURE, Preview
from .temporal import Correction, FixedTrust, MapScheduler, STALENESS

# Grey that published weights were trained with outside of the image.
FILL = 114
# Of how many frames since the last READ the network is shown one unit.
AGE = 1 / 8
# Mean and spread of grey values, as shares of their range, roughly.
MEAN, SPREAD = 0.45, 0.25


class Features(NamedTuple):
    """
    F of a frame.

    :ivar maps: (B, C, H/8, W/8), (B, C, H/16, W/16), (B, C, H/32, W/32): of each cell what its
        classes are made of, its box and whether there is an object, see
        :class:`~.head.YoloxHead`.
    :ivar staleness: (B, 2, H/32, W/32): what of the picture nothing explained since the last
        READ, moved along; and frames since then, in units of eight. 0 on a READ.
    """

    maps: tuple[Tensor, ...]
    staleness: Tensor


class YoloxNetwork(nn.Module):
    """
    The engine's :class:`~forecast_detector.engine.network.Network`, made of YOLOX.

    The forecast is dense motion: F of the frame before, moved along with the picture, then
    corrected by its thumbnail. It comes in one part, :meth:`correct`; there is no recurrent
    state but F itself, and the detector sees F alone.
    """

    fill = FILL
    forecasts = True
    grey_range = 1.0

    def __init__(self, config: YoloxConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Pafpn(config)
        self.head = YoloxHead(config)
        self.correction = (
            Correction(config.map_channels, config.correction) if config.correction else None
        )
        self.scheduler: MapScheduler | FixedTrust = (
            MapScheduler(config.scheduler) if config.scheduler else FixedTrust(config.trust)
        )
        self.cells = tuple(stride // config.peek for stride in STRIDES)

    @property
    def reduction(self) -> int:
        """How many times smaller than the input the thumbnail is."""
        return self.config.peek

    def read(self, images: Tensor) -> Features:
        """
        Make F of images, (B, 3, H, W), RGB, 0..255.

        :returns: of no staleness.
        """
        maps = self.head.begin(self.backbone(images.to(self._dtype)))
        coarse = maps[-1]
        return Features(maps, coarse.new_zeros(len(coarse), STALENESS, *coarse.shape[2:]))

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.head.parameters()).dtype

    def preview(self, thumbnails: Tensor) -> Preview:
        """Take thumbnails, (B, 3, h, w), RGB, uint8."""
        return Preview.of(thumbnails, self.reduction)

    def zero_state(self, features: Features) -> None:
        """There is none."""

    def encode(self, features: Features, state: None) -> tuple[Features, Features, None]:
        """Give F as the forecast and as the converted map: motion is seen with the next frame."""
        return features, features, None

    def correct(
        self, forecast: Features, preview: Preview, previous: Preview
    ) -> tuple[Features, Tensor]:
        """
        Move F along with the picture, and correct it.

        :param forecast: F of the frame before.
        :returns: F of this frame, and the surprise, (B, 3, H/32, W/32): what motion leaves
            unexplained, its mean and its peak in a cell, and how far things moved.
        """
        motion = Motion.between(preview, previous, self.reduction)
        moved = self._moved(forecast, motion.flow)
        expected, reach = (
            tensor(one).to(preview.picture.device) for one in (motion.expected, motion.reach))
        seen, staleness, surprise = self.judge(moved.staleness, *(
            one.to(self._dtype) for one in (preview.picture / 255, expected / 255, reach)))
        if self.correction is None:
            return Features(moved.maps, staleness), surprise
        return Features(self.correction(moved.maps, seen, staleness), staleness), surprise

    def _moved(self, forecast: Features, flow: Flow) -> Features:
        grids = lay_grids(tensor(flow).to(forecast.staleness.device), self.cells)
        return Features(
            tuple(move(one, grid) for one, grid in zip(forecast.maps, grids)),
            move(forecast.staleness, grids[-1]),
        )

    def judge(
        self, staleness: Tensor, now: Tensor, expected: Tensor, reach: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """
        See what of a thumbnail its motion does not explain.

        :param staleness: that of the frame before, moved.
        :param now: picture, (B, 3, H/4, W/4), in [0, 1]; ``expected``: that of the frame before,
            moved.
        :param reach: how far things moved, shares of the longer side, (B, 1, H/32, W/32).
        :returns: what the correction sees, the staleness and the surprise.
        """
        cell, unexplained = STRIDES[-1] // PICTURE, now - expected
        error = unexplained.abs().mean(dim=1, keepdim=True)
        surprise = torch.cat(
            [F.avg_pool2d(error, cell), F.max_pool2d(error, cell), 10 * reach], dim=1)
        staleness = torch.cat([
            staleness[:, :1] + 4 * surprise[:, :1], staleness[:, 1:] + AGE
        ], dim=1)
        seen = torch.cat([(now - MEAN) / SPREAD, unexplained / SPREAD], dim=1)
        return seen, staleness, surprise

    def extrapolate(self, forecast: Features, preview: Preview, previous: Preview) -> Features:
        """Move F of a frame that has not come yet, as the picture last moved."""
        return self._moved(forecast, backward_flow(preview, previous))

    def schedule(self, features: Features, converted: Features, surprise: Tensor) -> Tensor:
        """Judge a forecast; returns logits, (B, 2): READ, FORECAST."""
        if isinstance(self.scheduler, FixedTrust):
            return self.scheduler(surprise)
        objects = peaks([one[:, -1:] for one in features.maps])
        return self.scheduler(objects, features.staleness, surprise)

    def combine(self, features: Features, converted: Features) -> Features:
        """Give what the detector sees: F."""
        return features

    def detect(self, features: Features) -> tuple[Raw, ...]:
        """Run the rest of the head on F."""
        return self.head.finish(features.maps)

    def decoding(self, input_size: tuple[int, int]) -> GridDecoding:
        """
        Prepare for the head's outputs at an input size.

        :param input_size: (height, width) in pixels.
        """
        return GridDecoding.lay(input_size, next(self.parameters()).device)

