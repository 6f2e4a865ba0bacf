"""Fold batch norms into the convolutions before them: same function, fewer passes."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

M = TypeVar('M', bound=nn.Module)


def fuse_norms(module: M) -> M:
    """
    Copy a module for inference, every (convolution, batch norm) pair made one convolution.

    The copy is in evaluation mode and cannot be trained: its norms are gone.
    """
    fused = copy.deepcopy(module).eval().requires_grad_(False)
    for parent in fused.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        names = list(parent._modules)
        for first, second in zip(names, names[1:]):
            convolution, norm = parent._modules[first], parent._modules[second]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = fuse_conv_bn_eval(convolution, norm)
                parent._modules[second] = nn.Identity()
    return fused
