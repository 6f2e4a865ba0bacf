"""Between tensors of networks, channels first, and arrays, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

Array = NDArray[Any]


def array(x: Tensor) -> Array:
    """Give (B, C, H, W) as (B, H, W, C), whole: bytes as they are, numbers in single precision."""
    if x.dtype not in (torch.uint8, torch.float32):
        x = x.float()
    return np.ascontiguousarray(x.permute(0, 2, 3, 1).cpu().numpy())


def stacked(parts: Sequence[Array]) -> Array:
    """Join arrays along a new first axis; a single one is not copied."""
    return parts[0][None] if len(parts) == 1 else np.stack(parts)


def tensor(x: Array) -> Tensor:
    """Give (B, H, W, C) as (B, C, H, W), the same memory."""
    return torch.from_numpy(x).permute(0, 3, 1, 2)
