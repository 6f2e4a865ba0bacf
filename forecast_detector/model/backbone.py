"""Backbones: EfficientNet-Lite0 and MobileNetV2, to the map before the average pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn, Tensor
import torch.nn.functional as F


@dataclass(frozen=True)
class BackboneSpec:
    """
    Shape of a backbone made of inverted residuals.

    :ivar stages: (expansion, channels, repeats, stride, kernel size) of each stage.
    :ivar norm_eps: epsilon of the batch norms.
    :ivar mean: subtracted from an RGB image in 0..255 before division by ``std``.
    :ivar same_padding: TensorFlow's SAME padding, which at stride 2 pads the bottom and right
        sides more; the weights expect it. Otherwise padding is symmetric.
    """

    stages: tuple[tuple[int, int, int, int, int], ...]
    norm_eps: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    same_padding: bool


SPECS = {
    # Values of the EfficientNet-Lite release.
    'efficientnet_lite0': BackboneSpec(
        stages=(
            (1, 16, 1, 1, 3),
            (6, 24, 2, 2, 3),
            (6, 40, 2, 2, 5),
            (6, 80, 3, 2, 3),
            (6, 112, 3, 1, 5),
            (6, 192, 4, 2, 5),
            (6, 320, 1, 1, 3),
        ),
        norm_eps=1e-3,
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        same_padding=True,
    ),
    # Sandler et al. 2018, Table 2; normalisation and padding of torchvision's weights.
    'mobilenet_v2': BackboneSpec(
        stages=(
            (1, 16, 1, 1, 3),
            (6, 24, 2, 2, 3),
            (6, 32, 3, 2, 3),
            (6, 64, 4, 2, 3),
            (6, 96, 3, 1, 3),
            (6, 160, 3, 2, 3),
            (6, 320, 1, 1, 3),
        ),
        norm_eps=1e-5,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        same_padding=False,
    ),
}

STEM_CHANNELS = 32
OUT_CHANNELS = 1280
STRIDE = 32
# The stages up to the last one at stride 16.
FINE_STAGES = 6


class PaddedConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding (even sides, stride 2: one more at the end)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H/s), ceil(W/s))."""
        pads: list[int] = []
        for side, kernel, stride in ((x.shape[3], self.kernel_size[1], self.stride[1]),
                                     (x.shape[2], self.kernel_size[0], self.stride[0])):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm and, by default ReLU6."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        activate: bool = True,
        norm_eps: float = 1e-3,
        same_padding: bool = False,
    ) -> None:
        asymmetric = same_padding and stride > 1
        conv_type = PaddedConv if asymmetric else nn.Conv2d
        layers: list[nn.Module] = [
            conv_type(
                in_channels,
                out_channels,
                kernel,
                stride,
                padding=0 if asymmetric else kernel // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels, eps=norm_eps, momentum=0.03),
        ]
        if activate:
            layers.append(nn.ReLU6(inplace=True))
        super().__init__(*layers)


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, linear 1x1 projection (Sandler et al. 2018)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expansion: int,
        stride: int,
        kernel: int,
        spec: BackboneSpec,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvNormAct(in_channels, hidden, norm_eps=spec.norm_eps))
        layers.append(
            ConvNormAct(
                hidden, hidden, kernel, stride, groups=hidden,
                norm_eps=spec.norm_eps, same_padding=spec.same_padding,
            )
        )
        layers.append(ConvNormAct(hidden, out_channels, activate=False, norm_eps=spec.norm_eps))
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H/stride, W/stride)."""
        return x + self.layers(x) if self.shortcut else self.layers(x)


class BackboneNetwork(nn.Module):
    """
    An image to 1280 channels at stride 32.

    ``stages`` holds the stem, one entry per inverted residual stage, and the head
    convolution; training can freeze or cache the first ones.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        spec = SPECS[name]
        stages: list[nn.Module] = [
            ConvNormAct(
                3, STEM_CHANNELS, 3, 2, norm_eps=spec.norm_eps, same_padding=spec.same_padding
            )
        ]
        channels = STEM_CHANNELS
        for expansion, out_channels, repeats, stride, kernel in spec.stages:
            blocks = []
            for index in range(repeats):
                blocks.append(
                    InvertedResidual(
                        channels, out_channels, expansion, stride if index == 0 else 1, kernel,
                        spec,
                    )
                )
                channels = out_channels
            stages.append(nn.Sequential(*blocks))
        stages.append(ConvNormAct(channels, OUT_CHANNELS, norm_eps=spec.norm_eps))
        self.stages = nn.ModuleList(stages)
        self.register_buffer('mean', torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def normalize(self, images: Tensor) -> Tensor:
        """Scale RGB values in 0..255, (B, 3, H, W), to what the weights expect."""
        return (images - self.mean) / self.std

    def forward(self, x: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """
        Run the stages ``first`` to ``last`` (exclusive; None is the end).

        :param x: (B, 3, H, W) normalised, or the output of stage ``first`` - 1.
        """
        for stage in self.stages[first:last]:
            x = stage(x)
        return x


def load_imagenet_weights(backbone: BackboneNetwork, weights: Mapping[str, Tensor]) -> None:
    """
    Load public ImageNet weights, whatever their keys, in their order.

    Both networks are published with their tensors in the order of the layers: stem, blocks,
    head, classifier. Counters of the batch norms and the classifier are passed over.

    :param weights: state dict of a plain EfficientNet-Lite0 or of torchvision's MobileNetV2.
    :raises ValueError: if the tensors are not those of this backbone.
    """
    own = {
        key: value
        for key, value in backbone.state_dict().items()
        if not key.endswith('num_batches_tracked')
    }
    theirs = [v for k, v in weights.items() if not k.endswith('num_batches_tracked')]
    if len(theirs) < len(own):
        raise ValueError(
            f'ImageNet weights: {len(theirs)} tensors came, the backbone has {len(own)}; '
            'name the file that belongs to this backbone'
        )
    for (key, value), tensor in zip(own.items(), theirs):
        if value.shape != tensor.shape:
            raise ValueError(
                f'ImageNet weights: {key} is {tuple(value.shape)}, {tuple(tensor.shape)} came; '
                'name the file that belongs to this backbone'
            )
    backbone.load_state_dict(dict(zip(own, theirs)), strict=False)
