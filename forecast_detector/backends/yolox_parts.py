"""The compiled parts of YOLOX with forecasts, written so that little is copied or laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn, Tensor
import torch.nn.functional as F

from ..model.yolox.backbone import STRIDES
from ..model.yolox.blocks import Focus
from ..model.yolox.head import YoloxHead
from ..model.yolox.network import YoloxNetwork
from ..model.yolox.temporal import Correction, FixedTrust, STALENESS
from .part import first, last, Part

# Coordinates of a box, then whether there is an object: of one convolution.
BOX = 4


class Outputs(nn.Module):
    """
    The head's outputs, but for its last layers for classes: few cells need those.

    Boxes and objects come of one convolution; where a map of F lies behind the towers already, it
    takes the whole map, with zeros for the tower of classes, as cutting is dearer.
    """

    def __init__(self, head: YoloxHead) -> None:
        super().__init__()
        self.towers = head.towers
        self.cls_convs, self.reg_convs = head.cls_convs, head.reg_convs
        self.both = nn.ModuleList(
            _joined(boxes, objects, head.width if behind else 0)
            for boxes, objects, behind in zip(head.reg_preds, head.obj_preds, head.towers)
        )

    def forward(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """
        Run.

        :param maps: F.
        :returns: boxes and objects of each map, (B, 5, h, w), and the towers for classes of those
            maps that do not lie behind them.
        """
        found, classes = [], []
        for level, x in enumerate(maps):
            if self.towers[level]:
                found.append(self.both[level](x))
            else:
                both, tower = self.behind(level, x)
                found.append(both)
                classes.append(tower)
        return found, classes

    def behind(self, level: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Run the towers on a map; returns boxes and objects, and the tower for classes."""
        return self.both[level](self.reg_convs[level](x)), self.cls_convs[level](x)


def _joined(one: nn.Module, other: nn.Module, skipped: int) -> nn.Conv2d:
    """Make one 1x1 convolution of two; it skips the first channels of its input."""
    assert isinstance(one, nn.Conv2d) and isinstance(other, nn.Conv2d)
    assert one.bias is not None and other.bias is not None
    weight = torch.cat([one.weight.detach(), other.weight.detach()])
    return _pointwise(
        F.pad(weight, (0, 0, 0, 0, skipped, 0)),
        torch.cat([one.bias.detach(), other.bias.detach()]))


def _chained(one: nn.Module, other: nn.Module) -> nn.Conv2d:
    """Make one 1x1 convolution of two behind each other; the bias of the second is left out."""
    assert isinstance(one, nn.Conv2d) and isinstance(other, nn.Conv2d) and one.bias is not None
    by = other.weight.detach()[:, :, 0, 0]
    weight = by @ one.weight.detach()[:, :, 0, 0]
    return _pointwise(weight[:, :, None, None], by @ one.bias.detach())


def _pointwise(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1).requires_grad_(False)
    layer.weight.copy_(weight)
    assert layer.bias is not None
    layer.bias.copy_(bias)
    return layer


class FoldedStem(nn.Module):
    """The stem; each 2x2 block of the image is folded while it still consists of bytes."""

    def __init__(self, stem: Focus) -> None:
        super().__init__()
        layer = stem.conv.conv
        assert isinstance(layer, nn.Conv2d)
        # Published weights have columns before rows; here rows come first, as in memory.
        weight = layer.weight.detach().unflatten(1, (2, 2, 3)).transpose(1, 2).flatten(1, 3)
        self.conv = nn.Conv2d(12, len(weight), 3, padding=1).requires_grad_(False)
        self.conv.weight.copy_(weight)
        assert self.conv.bias is not None and layer.bias is not None
        self.conv.bias.copy_(layer.bias.detach())

    def forward(self, images: Tensor) -> Tensor:
        """Halve images, (B, H, W, 3), uint8."""
        blocks = images.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).transpose(2, 3)
        return F.silu(self.conv(first(blocks.flatten(3)).float()))


class Read(nn.Module):
    """From an image to F, and what the head makes of it."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.neck, self.head = network.backbone, network.head
        self.stem = FoldedStem(network.backbone.backbone.stem)
        self.outputs = Outputs(network.head)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Take images, (B, H, W, 3), uint8; returns maps, boxes and objects, towers."""
        maps = self.head.begin(self.neck.join(*self.neck.backbone.stages(self.stem(images))))
        found, classes = self.outputs(maps)
        return tuple(last(one) for one in (*maps, *found, *classes))


class Head(nn.Module):
    """From F to what the head makes of it."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.outputs = Outputs(network.head)

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, ...]:
        """Take maps of F; returns boxes and objects, towers."""
        found, classes = self.outputs([first(one) for one in (fine, middle, coarse)])
        return tuple(last(one) for one in (*found, *classes))


class Corrected(nn.Module):
    """
    The correction, and what the head makes of corrected maps.

    A map behind the towers is read once, for what reduces it and what makes boxes of it; what
    the change adds to the boxes is made of what the change is made of. So the sum is not needed.
    """

    def __init__(self, correction: Correction, outputs: Outputs) -> None:
        super().__init__()
        self.correction, self.outputs = correction, outputs
        self.reading, self.adding = nn.ModuleDict(), nn.ModuleDict()
        for level, behind in enumerate(outputs.towers):
            if behind:
                reduce, project = correction.reduce[level], correction.project[level]
                self.reading[str(level)] = _joined(reduce, outputs.both[level], 0)
                self.adding[str(level)] = _chained(project, outputs.both[level])

    def forward(
        self, maps: Sequence[Tensor], seen: Tensor, staleness: Tensor
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Take moved maps; returns changes, and what :class:`Outputs` gives."""
        correction, x = self.correction, F.silu(self.correction.stem(seen))
        changes, found, classes = [], [], []
        for level, one in enumerate(maps):
            x = F.silu(correction.stages[level](x))
            behind = self.outputs.towers[level]
            if behind:
                reduced = self.reading[str(level)](one)
                reduced, boxes = reduced[:, :-BOX - 1], reduced[:, -BOX - 1:]
            else:
                reduced = correction.reduce[level](one)
            refined = correction.refine(level, reduced, x, staleness)
            changes.append(correction.project[level](refined))
            if behind:
                found.append(boxes + self.adding[str(level)](refined))
            else:
                both, tower = self.outputs.behind(level, one + changes[-1])
                found.append(both)
                classes.append(tower)
        return changes, found, classes


class Forecast(nn.Module):
    """From moved F to the change of it, its judgement and what the head makes of the sum."""

    def __init__(self, network: YoloxNetwork) -> None:
        super().__init__()
        self.network, self.outputs = network, Outputs(network.head)
        self.corrected: Corrected | None = None
        if network.correction is not None:
            self.corrected = Corrected(network.correction, self.outputs)

    def forward(
        self, fine: Tensor, middle: Tensor, coarse: Tensor, staleness: Tensor, now: Tensor,
        expected: Tensor, reach: Tensor,
    ) -> tuple[Tensor, ...]:
        """
        Take what was moved: maps, staleness and the picture before, (B, 3, h, w), in [0, 255].

        :param now: picture, (B, h, w, 3), uint8.
        :param reach: how far things moved, (B, H/32, W/32, 1).
        :returns: logits of the scheduler; staleness and surprise; changes of the maps, if they
            are corrected (adding those outside saves a copy); boxes and objects, towers.
        """
        network, maps = self.network, [first(one) for one in (fine, middle, coarse)]
        seen, stale, surprise = network.judge(
            first(staleness), first(now).float() / 255, expected / 255, first(reach))
        changes: list[Tensor] = []
        if self.corrected is None:
            found, classes = self.outputs(maps)
        else:
            changes, found, classes = self.corrected(maps, seen, stale)
        if isinstance(network.scheduler, FixedTrust):
            logits = network.scheduler(surprise)
        else:
            logits = network.scheduler(_peaks(found), stale, surprise)
        return (logits, *(last(one) for one in (stale, surprise, *changes, *found, *classes)))


def _peaks(found: Sequence[Tensor]) -> Tensor:
    """Say how sure each stride is of an object, in cells of the coarsest, (B, 3, h, w)."""
    return torch.cat([
        F.max_pool2d(one[:, BOX:], STRIDES[-1] // stride) if stride < STRIDES[-1]
        else one[:, BOX:] for one, stride in zip(found, STRIDES)
    ], dim=1).sigmoid()


def parts(network: YoloxNetwork, input_size: tuple[int, int]) -> Mapping[str, Part]:
    """Take a network apart, for inputs of a size."""
    height, width = input_size

    def noise(stride: int, channels: int) -> Tensor:
        return torch.rand(2, height // stride, width // stride, channels)

    small = network.reduction
    maps = [noise(*one) for one in zip(STRIDES, network.config.map_channels)]
    motion = [
        noise(STRIDES[-1], STALENESS), (255 * noise(small, 3)).to(torch.uint8),
        noise(small, 3).permute(0, 3, 1, 2).contiguous(), noise(STRIDES[-1], 1),
    ]
    return {
        'read': Part(Read(network), [(255 * noise(1, 3)).to(torch.uint8)]),
        'head': Part(Head(network), maps),
        'forecast': Part(Forecast(network), [*maps, *motion]),
    }
