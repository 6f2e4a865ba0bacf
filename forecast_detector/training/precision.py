"""Mixed precision: forward passes in 16 bits, weights and optimiser in 32."""

from __future__ import annotations

from typing import get_args, Literal

import torch

Precision = Literal['fp32', 'bf16', 'fp16']
DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}


def check_precision(precision: str) -> None:
    """:raises ValueError: for an unknown precision."""
    if precision not in DTYPES:
        raise ValueError(f'precision: {precision!r} is none of {get_args(Precision)}')


class MixedPrecision:
    """
    Autocast and, for fp16, the loss scale that keeps small gradients from vanishing.

    :ivar scaler: does nothing unless the precision is fp16.
    """

    def __init__(self, precision: Precision, device: torch.device) -> None:
        """:raises ValueError: for fp16 anywhere but on a GPU, and for an unknown precision."""
        check_precision(precision)
        if precision == 'fp16' and device.type != 'cuda':
            raise ValueError(f'precision: fp16 needs a GPU, not {device.type!r}; use bf16 or fp32')
        self.enabled = precision != 'fp32'
        self._device, self._dtype = device.type, DTYPES[precision]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == 'fp16')

    def autocast(self) -> torch.autocast:
        """Make the context for a forward pass and its losses."""
        return torch.autocast(self._device, self._dtype, enabled=self.enabled)
