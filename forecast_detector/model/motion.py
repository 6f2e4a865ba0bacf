"""How the picture moved between two frames, by phase correlation; and features moved along."""

from __future__ import annotations

import math

import torch
from torch import Tensor
import torch.nn.functional as F

# Half a side of the square around the peak whose centre of mass is the shift.
REACH = 2
# Pictures with nothing in common, as at a cut, have peaks, too. For white noise the response is
# about 20 / sqrt(pixels), and up to 38; where pictures match, 50 to 100.
LEAST_RESPONSE = 40.0


def phase_correlation(before: Tensor, now: Tensor) -> Tensor:
    """
    Find by how much pictures moved (Kuglin & Hines 1975), to a fraction of a pixel.

    :param before: (B, H, W), grey values; exactly 0 where there is no picture (padding).
    :param now: of the frame after, likewise.
    :returns: (B, 2), right and down, as shares of the width and the height; 0 where the pictures
        have nothing in common.
    """
    height, width = now.shape[1:]
    # 16-bit autocast has no Fourier transform on a CPU, and would be too coarse.
    with torch.autocast(now.device.type, enabled=False):
        first, second = before.float(), now.float()
        window = _window(second)
        cross = torch.fft.rfft2(first * window).conj() * torch.fft.rfft2(second * window)
        surface = torch.fft.irfft2(cross / cross.abs().clamp(min=1e-9), s=(height, width))
        peak = surface.flatten(1).argmax(dim=1)
        steps = torch.arange(-REACH, REACH + 1, device=now.device)
        rows = (peak // width)[:, None] + steps
        columns = (peak % width)[:, None] + steps
        around = surface[
            torch.arange(len(now), device=now.device)[:, None, None],
            rows[:, :, None] % height, columns[:, None, :] % width,
        ].clamp(min=0)
        response = around.sum(dim=(1, 2))
        x = (around.sum(dim=1) * columns).sum(dim=1) / response.clamp(min=1e-9)
        y = (around.sum(dim=2) * rows).sum(dim=1) / response.clamp(min=1e-9)
        # Shifts beyond half the picture are shifts the other way.
        shift = torch.stack([_wrap(x / width), _wrap(y / height)], dim=1)
    return shift * (response > LEAST_RESPONSE / math.sqrt(height * width))[:, None]


def _wrap(share: Tensor) -> Tensor:
    return torch.where(share > 0.5, share - 1, share)


def _window(picture: Tensor) -> Tensor:
    """Make a Hann window over the part of each picture that is not padding, (B, H, W)."""
    windows = []
    for axis in (2, 1):
        inside = (picture != 0).any(dim=axis)
        size = inside.shape[1]
        first = inside.int().argmax(dim=1, keepdim=True)
        last = size - 1 - inside.flip(1).int().argmax(dim=1, keepdim=True)
        at = torch.arange(size, device=picture.device)
        share = (at - first + 0.5) / (last - first + 1)
        windows.append(torch.sin(math.pi * share.clamp(0, 1)) ** 2)
    return windows[0][:, :, None] * windows[1][:, None, :]


def move(features: Tensor, shift: Tensor) -> Tensor:
    """
    Move maps; what comes in from outside repeats the border.

    :param features: (B, C, H, W).
    :param shift: (B, 2), right and down, as shares of the width and the height.
    """
    height, width = features.shape[2:]
    rows, columns = (torch.arange(n, device=features.device) + 0.5 for n in (height, width))
    right, down = shift.float()[:, :, None, None].unbind(dim=1)
    x = columns * (2 / width) - 1 - 2 * right
    y = rows[:, None] * (2 / height) - 1 - 2 * down
    grid = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
    return F.grid_sample(
        features, grid.to(features.dtype), mode='bicubic', padding_mode='border',
        align_corners=False,
    )
