"""Mixed precision: forward passes in 16 bits, weights and optimiser in 32."""

from __future__ import annotations

from typing import get_args, Literal

import torch

from ..config import ModelConfig
from ..model.backbone import STRIDE

Precision = Literal['fp32', 'bf16', 'fp16']
DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}


def check_precision(precision: str) -> None:
    """:raises ValueError: for an unknown precision."""
    if precision not in DTYPES:
        raise ValueError(f'precision: {precision!r} is none of {get_args(Precision)}')


def check_head(model: ModelConfig) -> None:
    """
    Check that no map of a single cell is halved.

    For that torch 2.13 computes wrong gradients in bf16 on a CPU (depthwise, stride 2, channels
    last: it reads memory that nobody wrote).

    :raises ValueError: if there is one.
    """
    rows, columns = (side // STRIDE for side in model.input_size)
    for _ in model.extra_channels:
        if rows == columns == 1:
            raise ValueError(
                f'precision: in bf16 on a CPU torch trains the head wrongly at input_size '
                f'{model.input_size}, where it halves a map of one cell; use fp32, or a larger '
                'input_size'
            )
        rows, columns = (rows + 1) // 2, (columns + 1) // 2


class MixedPrecision:
    """
    Autocast and, for fp16, the loss scale that keeps small gradients from vanishing.

    :ivar scaler: does nothing unless the precision is fp16.
    """

    def __init__(
        self, precision: Precision, device: torch.device, model: ModelConfig | None = None
    ) -> None:
        """
        Choose the precision.

        :param model: what is trained.
        :raises ValueError: for fp16 anywhere but on a GPU, for bf16 on a CPU if the head would
            be trained wrongly, and for an unknown precision.
        """
        check_precision(precision)
        if precision == 'fp16' and device.type != 'cuda':
            raise ValueError(f'precision: fp16 needs a GPU, not {device.type!r}; use bf16 or fp32')
        if precision == 'bf16' and device.type == 'cpu' and model is not None:
            check_head(model)
        self.enabled = precision != 'fp32'
        self._device, self._dtype = device.type, DTYPES[precision]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == 'fp16')

    def autocast(self) -> torch.autocast:
        """Make the context for a forward pass and its losses."""
        return torch.autocast(self._device, self._dtype, enabled=self.enabled)
