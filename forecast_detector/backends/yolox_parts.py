"""The compiled parts of YOLOX with forecasts, written so that little is copied or laid out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from ..model.yolox.backbone import STRIDES
from ..model.yolox.blocks import Focus
from ..model.yolox.head import peaks
from ..model.yolox.motion import lay_grid, move
from ..model.yolox.network import YoloxNetwork
from ..model.yolox.preview import PICTURE
from ..model.yolox.temporal import Correction, FixedTrust, OBJECTS, STALENESS
from .part import first, last, Part

# Parts of little work.
LIGHT = ('judge',)
# Parts that half precision makes faster; what the scheduler sees of motion is none of them.
HALF = ('read',)


class PairedStem(nn.Module):
    """
    The stem; of each 2x2 block of the image the columns are folded, which moves nothing in memory.

    Its rows are taken by a kernel of twice as many rows that goes two rows a step.
    """

    def __init__(self, stem: Focus) -> None:
        super().__init__()
        layer = stem.conv.conv
        assert isinstance(layer, nn.Conv2d)
        # Published weights have the block's column, its row, and colour; then rows and columns.
        weight = layer.weight.detach().unflatten(1, (2, 2, 3)).permute(0, 1, 3, 4, 2, 5)
        self.conv = nn.Conv2d(
            6, len(weight), (6, 3), stride=(2, 1), padding=(2, 1)).requires_grad_(False)
        self.conv.weight.copy_(weight.reshape(self.conv.weight.shape))
        assert self.conv.bias is not None and layer.bias is not None
        self.conv.bias.copy_(layer.bias.detach())

    def forward(self, images: Tensor) -> Tensor:
        """Halve images, (B, H, W, 3), uint8."""
        return F.silu(self.conv(first(images.unflatten(2, (-1, 2)).flatten(3)).float()))


class Read(nn.Module):
    """From an image to F, and where it has objects."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.neck, self.head = network.backbone, network.head
        self.stem = PairedStem(network.backbone.backbone.stem)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Take images, (B, H, W, 3), uint8; returns maps and objects."""
        maps = self.head.begin(self.neck.join(*self.neck.backbone.stages(self.stem(images))))
        objects = peaks([one[:, -1:] for one in maps])
        return tuple(last(one) for one in (*maps, objects))


class Judge(nn.Module):
    """From what was known, and how the picture moved, to the scheduler's judgement."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, known: Tensor, coarse: Tensor, now: Tensor, expected: Tensor, reach: Tensor
    ) -> tuple[Tensor, ...]:
        """
        Take staleness and objects of the frame before, and pictures, (B, H/4, W/4, 3), uint8.

        :param coarse: where what is seen now was before, in cells, (B, H/32, W/32, 2).
        :param reach: how far things moved, (B, H/32, W/32, 1).
        :returns: staleness, objects, surprise and logits.
        """
        moved = move(first(known), lay_grid(first(coarse)))
        network, objects = self.network, moved[:, STALENESS:]
        stale, surprise = network.judge(
            moved[:, :STALENESS], first(now).float(), first(expected).float(), first(reach))
        if isinstance(network.scheduler, FixedTrust):
            logits = network.scheduler(surprise)
        else:
            logits = network.scheduler(objects, stale, surprise)
        return last(stale), last(objects), last(surprise), logits


class Change(nn.Module):
    """From moved F to what is added to its boxes and objects; adding it outside saves a copy."""

    def __init__(self, network: YoloxNetwork, correction: Correction) -> None:
        super().__init__()
        self.network, self.correction = network, correction

    def forward(
        self, now: Tensor, expected: Tensor, staleness: Tensor, *maps: Tensor
    ) -> tuple[Tensor, ...]:
        """Take pictures, (B, H/4, W/4, 3), uint8, and moved maps."""
        # As products of matrices: the maps themselves need not be laid out anew.
        reduced = [first(_pointwise(layer, one)) for layer, one in zip(
            self.correction.reduce, maps)]
        seen = self.network.show(first(now).float(), first(expected).float())
        changes = self.correction.changes(reduced, seen, first(staleness))
        return tuple(last(one) for one in changes)


def _pointwise(layer: nn.Module, x: Tensor) -> Tensor:
    """Run a 1x1 convolution on (B, h, w, C)."""
    assert isinstance(layer, nn.Conv2d)
    return F.linear(x, layer.weight[:, :, 0, 0], layer.bias)


def shapes_of(
    network: YoloxNetwork, input_size: tuple[int, int]
) -> Mapping[str, list[tuple[int, ...]]]:
    """
    Give the shapes that the parts take, without their rows.

    :param input_size: (height, width) in pixels.
    """
    coarse, channels = STRIDES[-1], network.config.map_channels

    def shape(stride: int, channels: int) -> tuple[int, ...]:
        return input_size[0] // stride, input_size[1] // stride, channels

    picture = shape(PICTURE, 3)
    shapes = {
        'read': [shape(1, 3)],
        'judge': [
            shape(coarse, STALENESS + OBJECTS), shape(coarse, 2), picture, picture,
            shape(coarse, 1),
        ],
    }
    if network.correction is not None:
        shapes['change'] = [
            picture, picture, shape(coarse, STALENESS),
            *(shape(stride, channels) for stride in STRIDES),
        ]
    return shapes


def parts(network: YoloxNetwork, input_size: tuple[int, int]) -> Mapping[str, Part]:
    """Take a network apart, for inputs of a size."""
    bytes_at = {'read': (0,), 'judge': (2, 3), 'change': (0, 1)}
    modules: dict[str, nn.Module] = {'read': Read(network), 'judge': Judge(network)}
    if network.correction is not None:
        modules['change'] = Change(network, network.correction)
    return {
        part: Part(modules[part], [
            _example(shape, index in bytes_at.get(part, ())) for index, shape in enumerate(shapes)
        ]) for part, shapes in shapes_of(network, input_size).items()
    }


def _example(shape: tuple[int, ...], of_bytes: bool) -> Tensor:
    noise = torch.rand(2, *shape)
    return (255 * noise).to(torch.uint8) if of_bytes else noise
