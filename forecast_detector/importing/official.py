"""State dicts with the names of published YOLOX weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..model.yolox.config import SIZES, YoloxConfig
from ..model.yolox.network import YoloxNetwork
from ..types import WeightsError

STEM = 'backbone.backbone.stem.conv.conv.weight'
CLASSES = 'head.cls_preds.0.weight'
_FIRST_STAGE = 'backbone.backbone.dark2'
# YOLOX behind another backbone, that of YOLOv3.
_DARKNET53 = 'backbone.backbone.stem.0.conv.weight'
# Red, green and blue of the four pixels of a block.
FOLDED = 12


def depth_of(bottlenecks: int) -> float:
    """Give the depth that makes the shortest stage this long, as it is published."""
    known = {max(round(depth * 3), 1): depth for depth, _, _ in SIZES.values()}
    return known.get(bottlenecks, bottlenecks / 3)


def name_of(config: YoloxConfig) -> str:
    """Name a network by its size."""
    shape = (config.depth, config.width, config.depthwise)
    for name, published in SIZES.items():
        if shape == published:
            return f'YOLOX-{name.capitalize()}'
    separable = ', depthwise separable' if config.depthwise else ''
    return f'YOLOX of depth {config.depth:.3g}, width {config.width:.3g}{separable}'


def recognise(tensors: Mapping[str, Tensor]) -> tuple[float, float, bool, int]:
    """
    Find the shape of a network from the names and shapes of its weights.

    :returns: depth, width, whether it is depthwise separable, number of classes.
    :raises WeightsError: if it is none of YOLOX.
    """
    if _DARKNET53 in tensors and CLASSES in tensors:
        raise WeightsError(
            'YOLOX on Darknet-53 (yolov3); of YOLOX the sizes nano, tiny, s, m, l and x are '
            'supported, and what lies between: use one of those'
        )
    for name in (STEM, CLASSES):
        if name not in tensors:
            first = next(iter(tensors))
            raise WeightsError(
                f'not the weights of YOLOX: there is no {name!r}; the first tensor is {first!r}, '
                f'{tuple(tensors[first].shape)}. Names of the published checkpoints are expected'
            )
    shape, last = (tuple(tensors[name].shape) for name in (STEM, CLASSES))
    if shape[1:] != (FOLDED, 3, 3):
        raise WeightsError(f'{STEM} is {shape}, YOLOX has (channels, {FOLDED}, 3, 3)')
    if last[2:] != (1, 1):
        raise WeightsError(f'{CLASSES} is {last}, YOLOX has (classes, channels, 1, 1)')
    inner = {
        name.split('.')[5] for name in tensors if name.startswith(f'{_FIRST_STAGE}.1.m.')
    }
    depthwise = f'{_FIRST_STAGE}.0.dconv.conv.weight' in tensors
    return depth_of(max(1, len(inner))), shape[0] / 64, depthwise, last[0]


def fill(network: YoloxNetwork, tensors: Mapping[str, Tensor]) -> None:
    """
    Load published weights; what is not in them, the forecast, stays as it is.

    :param tensors: for images of BGR; norms may be folded into biases.
    :raises WeightsError: names the first that does not fit.
    """
    whole = with_norms(tensors)
    own = network.state_dict()
    wanted = [
        name for name in own if name.startswith(('backbone.', 'head.'))
        and not name.endswith('num_batches_tracked')
    ]
    for name in wanted:
        expected = tuple(own[name].shape)
        if name not in whole:
            raise WeightsError(f'{name}, {expected}, is missing; the file is not complete, or '
                               'holds a variant of YOLOX that is not supported')
        if whole[name].shape != expected:
            raise WeightsError(f'{name} is {tuple(whole[name].shape)}, expected is {expected}')
        if not torch.isfinite(whole[name]).all():
            raise WeightsError(f'{name} holds NaN or infinity; use weights of a training that '
                               'went well')
    unknown = [name for name in whole if name not in own]
    if unknown:
        raise WeightsError(f'{unknown[0]} is not known; the file holds a variant of YOLOX that '
                           'is not supported')
    network.load_state_dict({name: whole[name].float() for name in wanted}, strict=False)
    _take_rgb(network)


def with_norms(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put norms that change nothing where they were folded into the convolution before them."""
    whole = {
        name: value for name, value in tensors.items()
        if not name.endswith('num_batches_tracked')
    }
    for name in [name for name in whole if name.endswith('.conv.bias')]:
        norm = name.removesuffix('conv.bias') + 'bn.'
        if f'{norm}bias' in whole:
            continue
        bias = whole.pop(name)
        ones = torch.ones(len(bias), dtype=torch.float32)
        whole.update({
            # 1e-3 is added to the variance.
            norm + 'weight': ones, norm + 'bias': bias, norm + 'running_mean': 0 * ones,
            norm + 'running_var': ones - 1e-3,
        })
    return whole


@torch.no_grad()
def _take_rgb(network: YoloxNetwork) -> None:
    """Turn the first convolution, trained on BGR, to RGB."""
    weight = network.get_parameter(STEM)
    blocks = weight.unflatten(1, (4, 3))
    weight.copy_(blocks.flip(2).flatten(1, 2))
