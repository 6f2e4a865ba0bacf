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
from .preview import backward_flow, CELLS, Motion, PICTURE, Preview
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
    :ivar objects: how sure each stride was of an object in the last READ, moved along,
        (B, 3, H/32, W/32).
    """

    maps: tuple[Tensor, ...]
    staleness: Tensor
    objects: Tensor


class Moving(NamedTuple):
    """
    What F of a frame is made of, should it be a FORECAST, and what the scheduler sees of that.

    :ivar maps: those of the frame before.
    :ivar flow: where what is seen now was before, (B, 2, H/4, W/4), pixels of the picture.
    :ivar now: picture, (B, 3, H/4, W/4), 0..255, uint8; ``expected``: that of the frame before,
        moved.
    :ivar staleness: that of the frame; ``objects`` likewise.
    :ivar logits: of the scheduler, where it has been asked already.
    """

    maps: tuple[Tensor, ...]
    flow: Tensor
    now: Tensor
    expected: Tensor
    staleness: Tensor
    objects: Tensor
    logits: Tensor | None = None


class YoloxNetwork(nn.Module):
    """
    The engine's :class:`~forecast_detector.engine.network.Network`, made of YOLOX.

    The forecast is dense motion: F of the frame before, moved along with the picture, then
    corrected by its thumbnail. There is no recurrent state but F itself, and the detector sees F
    alone.
    """

    fill = FILL
    forecasts = moves = True
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
        return Features(
            maps, coarse.new_zeros(len(coarse), STALENESS, *coarse.shape[2:]),
            peaks([one[:, -1:] for one in maps]),
        )

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
    ) -> tuple[Moving, Tensor]:
        """
        Find how the picture moved, and what of it that does not explain.

        :param forecast: F of the frame before.
        :returns: what the scheduler is asked about, and the surprise, (B, 3, H/32, W/32): what
            motion leaves unexplained, its mean and its peak in a cell, and how far things moved.
        """
        motion = Motion.between(preview, previous)
        device = forecast.staleness.device
        flow, now, expected, reach = (
            one.to(device) for one in (tensor(motion.flow), preview.picture,
                                       tensor(motion.expected), tensor(motion.reach)))
        known = torch.cat([forecast.staleness, forecast.objects], dim=1)
        staleness, objects, surprise = self.follow(known, flow, now, expected, reach)
        return Moving(forecast.maps, flow, now, expected, staleness, objects), surprise

    def follow(
        self, known: Tensor, flow: Tensor, now: Tensor, expected: Tensor, reach: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """
        Do what :meth:`correct` does, once motion is known.

        :param known: staleness and objects of the frame before, (B, 5, H/32, W/32).
        :param flow: where what is seen now was before, (B, 2, H/4, W/4), pixels of the picture.
        :param now: picture, (B, 3, H/4, W/4), 0..255; ``expected`` and ``reach``: see
            :class:`~.preview.Motion`.
        :returns: the staleness, the objects and the surprise.
        """
        known = move(known, lay_grids(flow, CELLS)[-1])
        staleness, surprise = self.judge(
            known[:, :STALENESS], now, expected, reach.to(self._dtype))
        return staleness, known[:, STALENESS:], surprise

    def settle(self, corrected: Moving) -> Features:
        """Move F, and correct it by what the thumbnail shows."""
        moved = self._moved(corrected.maps, corrected.flow)
        if self.correction is not None:
            seen = self.show(corrected.now, corrected.expected)
            moved = self.correction(moved, seen, corrected.staleness)
        return Features(moved, corrected.staleness, corrected.objects)

    def rest(self, corrected: Moving) -> Features:
        """Move what the scheduler is shown alone; F stays that of the last READ."""
        return Features(corrected.maps, corrected.staleness, corrected.objects)

    def motion(self, corrected: Moving) -> Tensor:
        """Give where what is seen now was before, (B, 2, H/4, W/4), pixels of the picture."""
        return corrected.flow

    def grey(self, preview: Preview) -> tuple[Tensor, Tensor]:
        """Give the picture that motion is measured on, (B, 1, H/4, W/4), uint8, and blurred."""
        return preview.grey, preview.blurred

    def _moved(self, maps: tuple[Tensor, ...], flow: Tensor) -> tuple[Tensor, ...]:
        grids = lay_grids(flow, CELLS)
        return tuple(move(one, grid) for one, grid in zip(maps, grids))

    def judge(
        self, staleness: Tensor, now: Tensor, expected: Tensor, reach: Tensor
    ) -> tuple[Tensor, Tensor]:
        """
        See what of a thumbnail its motion does not explain.

        :param staleness: that of the frame before, moved.
        :param now: picture, (B, 3, H/4, W/4), 0..255; ``expected``: that of the frame before,
            moved.
        :param reach: how far things moved, shares of the longer side, (B, 1, H/32, W/32).
        :returns: the staleness and the surprise.
        """
        cell = STRIDES[-1] // PICTURE
        error = self._error(now, expected)
        surprise = torch.cat(
            [F.avg_pool2d(error, cell), F.max_pool2d(error, cell), 10 * reach], dim=1)
        return torch.cat([
            staleness[:, :1] + 4 * surprise[:, :1], staleness[:, 1:] + AGE
        ], dim=1), surprise

    def show(self, now: Tensor, expected: Tensor) -> Tensor:
        """
        Give what the correction sees: the picture, and what motion leaves unexplained of it.

        :param now: and ``expected``: see :meth:`judge`.
        :returns: (B, 6, H/4, W/4).
        """
        now, expected = self._shares(now), self._shares(expected)
        return torch.cat([(now - MEAN) / SPREAD, (now - expected) / SPREAD], dim=1)

    def _error(self, now: Tensor, expected: Tensor) -> Tensor:
        """Average the difference of pictures over their colours, (B, 1, H/4, W/4), in [0, 1]."""
        return (self._shares(now) - self._shares(expected)).abs().mean(dim=1, keepdim=True)

    def _shares(self, picture: Tensor) -> Tensor:
        """Give the values of a picture, 0..255, in [0, 1]."""
        return (picture / 255).to(self._dtype)

    def extrapolate(self, forecast: Features, preview: Preview, previous: Preview) -> Features:
        """Move F of a frame that has not come yet, as the picture last moved."""
        flow = tensor(backward_flow(preview, previous)).to(forecast.staleness.device)
        grid = lay_grids(flow, CELLS)[-1]
        return Features(
            self._moved(forecast.maps, flow),
            *(move(one, grid) for one in (forecast.staleness, forecast.objects)))

    def schedule(
        self, features: Moving, converted: Features | None, surprise: Tensor
    ) -> Tensor:
        """Judge a forecast; returns logits, (B, 2): READ, FORECAST."""
        if isinstance(self.scheduler, FixedTrust):
            return self.scheduler(surprise)
        return self.scheduler(features.objects, features.staleness, surprise)

    def combine(self, features: Features, converted: Features) -> Features:
        """Give what the detector sees: F."""
        return features

    def detect(self, features: Features) -> tuple[Raw, ...]:
        """Run the rest of the head on F."""
        return self.head.finish(features.maps)

    def decoding(self, input_size: tuple[int, int]) -> GridDecoding:
        """Give the decoding of the head's outputs; it is the same for every input size."""
        return GridDecoding()
