"""The encoder of section 3.1: a spatial attention gate, then a bottleneck LSTM."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn, Tensor
import torch.nn.functional as F

# The cell is clipped as in the authors' interleaved model (Liu et al. 2019): without a bound,
# gates that stay open let it grow over a long stream.
CELL_LIMIT = 6.0


class LSTMState(NamedTuple):
    """Hidden and cell state of a bottleneck LSTM, each (B, N, H, W)."""

    hidden: Tensor
    cell: Tensor


class SpatialGate(nn.Module):
    """Where to look: one weight in 0..1 a cell (CBAM's spatial attention, Woo et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (B, C, H, W) by a gate made of the channels' maximum and mean."""
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.norm(self.conv(pooled)))


def separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 depthwise, then 1x1: the convolution of the bottleneck LSTM."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1),
    )


class BottleneckLSTM(nn.Module):
    """
    Convolutional LSTM whose gates share a bottleneck (Liu & Zhu 2018, Eq. 4 and 5).

    Activation is ReLU6, also after the bottleneck; one convolution makes all four gates; the
    forget gate starts open.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.bottleneck = separable(in_channels + channels, channels)
        self.gates = separable(channels, 4 * channels)
        bias = self.gates[1].bias
        assert isinstance(bias, Tensor)
        nn.init.zeros_(bias)
        nn.init.ones_(bias[channels:2 * channels])

    def zero_state(self, x: Tensor) -> LSTMState:
        """Return the state before the first frame, for features shaped like ``x``."""
        zeros = x.new_zeros(x.shape[0], self.channels, *x.shape[2:])
        return LSTMState(zeros, zeros)

    def forward(self, x: Tensor, state: LSTMState) -> LSTMState:
        """
        Advance by one frame.

        :param x: (B, C, H, W).
        :raises ValueError: if features and state differ in batch or map size.
        """
        if x.shape[0] != state.cell.shape[0] or x.shape[2:] != state.cell.shape[2:]:
            raise ValueError(
                f'features are {tuple(x.shape)}, the state is {tuple(state.cell.shape)}: '
                'batch and map size must agree; reset the stream when its size changes'
            )
        bottleneck = F.relu6(self.bottleneck(torch.cat([x, state.hidden], dim=1)))
        gate_in, gate_forget, gate_out, candidate = self.gates(bottleneck).chunk(4, dim=1)
        cell = torch.sigmoid(gate_forget) * state.cell
        cell = (cell + torch.sigmoid(gate_in) * F.relu6(candidate)).clamp(-CELL_LIMIT, CELL_LIMIT)
        return LSTMState(torch.sigmoid(gate_out) * F.relu6(cell), cell)


class Encoder(nn.Module):
    """
    Attention, LSTM and, where widths differ or a shortcut is added, a 1x1 convolution back.

    With ``residual`` the convolution starts at zero, so that the encoder starts as the
    identity: Encoder 1's first forecast is a copy of F.
    """

    def __init__(self, channels: int, lstm_channels: int, residual: bool) -> None:
        super().__init__()
        self.gate = SpatialGate()
        self.lstm = BottleneckLSTM(channels, lstm_channels)
        self.residual = residual
        self.project: nn.Module = nn.Identity()
        if residual or lstm_channels != channels:
            convolution = nn.Conv2d(lstm_channels, channels, 1)
            if residual:
                nn.init.zeros_(convolution.weight)
                assert convolution.bias is not None
                nn.init.zeros_(convolution.bias)
            self.project = convolution

    def forward(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """
        Advance by one frame.

        :param x: (B, C, H, W).
        :returns: output, shaped like ``x``, and the new state.
        """
        state = self.lstm(self.gate(x), state)
        output = self.project(state.hidden)
        return (x + output if self.residual else output), state
