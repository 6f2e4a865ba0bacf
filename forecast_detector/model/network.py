"""The whole network of Fig. 2: features, encoders, combination, head, scheduler."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from ..config import ModelConfig
from ..preprocess import FILL
from .anchors import make_anchors
from .backbone import BackboneNetwork, ConvNormAct, FINE_STAGES, OUT_CHANNELS, SPECS, STRIDE
from .decoding import AnchorDecoding
from .encoder import Encoder, LSTMState
from .head import HeadOutput, SSDLiteHead
from .peek import Peek, STAGE_STRIDE, STAGES, SURPRISE
from .scheduler import Scheduler
from .strides import CELLS, FineNeck, fold, unfold

# About the spread of grey values.
GREY_SCALE = 64.0


class RecurrentState(NamedTuple):
    """The LSTM states of Encoder 1 and Encoder 2."""

    forecaster: LSTMState
    converter: LSTMState


class ForecastNetwork(nn.Module):
    """
    Joint detection and feature forecast (sections 3.1 and 3.2).

    The parts are called one by one, because what runs depends on the frame: :meth:`read` only
    on a READ. The engine puts them together, see :mod:`forecast_detector.engine.recurrence`.
    F is one map, at stride 32.
    """

    fill = FILL

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = BackboneNetwork(config.backbone)
        self.neck: nn.Module = nn.Identity()
        if config.feature_channels != OUT_CHANNELS:
            self.neck = ConvNormAct(OUT_CHANNELS, config.feature_channels)
        self.fine_neck: FineNeck | None = None
        if config.fine_channels:
            self.fine_neck = FineNeck(
                SPECS[config.backbone].stages[FINE_STAGES - 2][1], config.feature_channels,
                config.fine_channels,
            )
        channels = config.map_channels
        self.encoder1 = Encoder(channels, config.lstm_channels, config.residual)
        self.encoder2 = Encoder(channels, config.lstm_channels, config.residual)
        self.scheduler = Scheduler(
            channels, config.displacement, config.scheduler_channels, config.scheduler_context,
            SURPRISE if config.peek else 0,
        )
        self.peek: Peek | None = None
        if config.peek:
            cell = STRIDE // config.peek
            self.peek = Peek(
                channels, self.preview_channels - cell**2, cell, config.feature_channels
            )
        self.head = SSDLiteHead(
            config.head_channels, config.extra_channels, config.anchors, len(config.labels)
        )

    @property
    def necks(self) -> list[nn.Module]:
        """Return the parts that make F of the backbone's maps."""
        return [self.neck] if self.fine_neck is None else [self.neck, self.fine_neck]

    def anchors(self, input_size: tuple[int, int]) -> Tensor:
        """
        Lay the anchors for an input size.

        :param input_size: (height, width) in pixels.
        :returns: (A, 4), centre and size in input pixels.
        """
        stride = STRIDE if self.fine_neck is None else STRIDE // CELLS
        first = (input_size[0] // stride, input_size[1] // stride)
        return make_anchors(self.config.anchors, self.head.map_sizes(first), input_size)

    def read(self, images: Tensor) -> Tensor:
        """
        Extract F from images: the READ operation.

        :param images: (B, 3, H, W), RGB, 0..255, uint8 or float.
        :returns: F, (B, C, H/32, W/32); C is :attr:`ModelConfig.map_channels`.
        """
        return self.merge(self.backbone_maps(self.backbone.normalize(images.float())))

    def backbone_maps(self, x: Tensor, first: int = 0) -> tuple[Tensor, ...]:
        """
        Run the backbone from a stage on, to the maps that F is made of, finest first.

        :param x: normalised images, or the output of stage ``first`` - 1.
        """
        if self.fine_neck is None:
            return (self.backbone(x, first),)
        stage = self.backbone(x, first, FINE_STAGES)
        return stage, self.backbone(stage, FINE_STAGES)

    def merge(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Make F of the backbone's maps."""
        coarse: Tensor = self.neck(maps[-1])
        if self.fine_neck is None:
            return coarse
        return fold([self.fine_neck(maps[0], coarse), coarse])

    @property
    def reduction(self) -> int:
        """How many times smaller than the input a peek's thumbnail is; 0 without a peek."""
        return self.config.peek

    @property
    def grey_range(self) -> float:
        """Range of grey values, in the unit of the surprise."""
        return 255 / GREY_SCALE

    # Its forecast is learned, and not dense motion.
    moves = False

    @property
    def forecasts(self) -> bool:
        """Whether there is a forecast; the paper's recurrent baseline makes none."""
        return self.config.combination != 'recurrent'

    @property
    def preview_channels(self) -> int:
        """Channels of a thumbnail's features, which have as many cells as F."""
        channels = SPECS[self.config.backbone].stages[STAGES - 2][1]
        cell = STRIDE // self.config.peek
        return channels * (cell // STAGE_STRIDE) ** 2 + cell**2

    def preview(self, thumbnails: Tensor) -> Tensor:
        """
        Make features of thumbnails: the first stages of the backbone, and the grey values.

        :param thumbnails: (B, 3, H / peek, W / peek), RGB, 0..255.
        :returns: (B, L, H/32, W/32).
        """
        pictures, cell = thumbnails.float(), STRIDE // self.config.peek
        x = self.backbone(self.backbone.normalize(pictures), last=STAGES)
        # Padding is exactly 0, see phase_correlation().
        grey = (pictures.mean(dim=1, keepdim=True) - FILL) / GREY_SCALE
        return torch.cat(
            [F.pixel_unshuffle(x, cell // STAGE_STRIDE), F.pixel_unshuffle(grey, cell)], dim=1
        )

    def correct(
        self, forecast: Tensor, preview: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        """
        Correct the forecast of a frame by a peek at its thumbnail.

        :param forecast: Fc of the step before, (B, C, H, W).
        :param preview: :meth:`preview` of this frame; ``previous``: of the frame before.
        :returns: F of the frame, if it is a FORECAST, and the surprise, (B, 2, H, W).
        """
        assert self.peek is not None
        corrected: tuple[Tensor, Tensor] = self.peek(forecast, preview, previous)
        return corrected

    def settle(self, corrected: Tensor) -> Tensor:
        """Give F of a frame that is a FORECAST: the scheduler was asked about F itself."""
        return corrected

    def rest(self, corrected: Tensor) -> Tensor:
        """Give F, too: the scheduler is asked about F itself."""
        return corrected

    def motion(self, corrected: Tensor) -> Tensor:
        """Refuse: F moves as one."""
        raise NotImplementedError

    def grey(self, preview: Tensor) -> tuple[Tensor, Tensor]:
        """Refuse likewise."""
        raise NotImplementedError

    def extrapolate(self, forecast: Tensor, preview: Tensor, previous: Tensor) -> Tensor:
        """Move the forecast of a frame that has not come yet, as the picture last moved."""
        assert self.peek is not None
        return self.peek.go_on(forecast, preview, previous)

    def zero_state(self, features: Tensor) -> RecurrentState:
        """Return the state before the first frame, for features shaped like F."""
        return RecurrentState(
            self.encoder1.lstm.zero_state(features), self.encoder2.lstm.zero_state(features)
        )

    def encode(
        self, features: Tensor, state: RecurrentState
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """
        Forecast the next frame's features, and convert them back to this frame.

        :param features: F, (B, C, H, W).
        :returns: Fc, Ft and the new state.
        """
        forecast, forecaster = self.encoder1(features, state.forecaster)
        if self.config.combination == 'recurrent':
            return features, forecast, RecurrentState(forecaster, state.converter)
        converted, converter = self.encoder2(forecast, state.converter)
        return forecast, converted, RecurrentState(forecaster, converter)

    def combine(self, features: Tensor, converted: Tensor) -> Tensor:
        """Make what the detector sees, Fm: the mean of F and Ft, or an ablation of it."""
        if self.config.combination == 'mean':
            return (features + converted) / 2
        return features if self.config.combination == 'features' else converted

    def schedule(
        self, features: Tensor, converted: Tensor, surprise: Tensor | None
    ) -> Tensor:
        """
        Judge a forecast by the scheduler.

        :param features: F of the frame, if it is a FORECAST, (B, C, H, W).
        :param converted: Ft of the frame before, likewise.
        :param surprise: of :meth:`correct`, where the network peeks.
        :returns: logits, (B, 2): READ, FORECAST.
        """
        logits: Tensor = self.scheduler(features, converted, surprise)
        return logits

    def detect(self, features: Tensor) -> HeadOutput:
        """Run the head on Fm, or on whatever else is shaped like F."""
        return self.head(unfold(features, self.config.feature_channels))

    def decoding(self, input_size: tuple[int, int]) -> AnchorDecoding:
        """
        Prepare for the head's outputs at an input size.

        :param input_size: (height, width) in pixels.
        """
        device = next(self.parameters()).device
        return AnchorDecoding(self.anchors(input_size).to(device))
