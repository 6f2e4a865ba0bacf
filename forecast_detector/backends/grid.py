"""YOLOX's boxes of cells that hold something; classes are made of these cells alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor

from ..model.yolox.backbone import STRIDES
from ..model.yolox.head import YoloxHead
from ..model.yolox.network import YoloxNetwork
from ..postprocess import Found

Floats = NDArray[np.float32]
# Coordinates of a box, before whether there is an object.
BOX = 4
# As the head's own decoding has it: no box is larger.
LARGEST = 10.0


class Level(NamedTuple):
    """
    What the head makes of a map, but for its last layer for classes.

    :ivar classes: what that layer is given, (B, C, h, w); None where it is part of the map.
    :ivar found: boxes and, as logits, objects, (B, 5, h, w).
    """

    classes: Tensor | None
    found: Tensor

    @classmethod
    def of(cls, head: YoloxHead, level: int, x: Tensor) -> Level:
        """Make it of a map of F in PyTorch."""
        behind = head.towers[level]
        boxes = x[:, head.width:] if behind else head.reg_convs[level](x)
        found = torch.cat([head.reg_preds[level](boxes), head.obj_preds[level](boxes)], dim=1)
        return cls(None if behind else head.cls_convs[level](x), found)


class Layer(NamedTuple):
    """The last layer for classes of a stride: (C, classes) and (classes,)."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class SparseDecoding:
    """
    One box a cell. A cell is at most as sure of a class as of an object.

    :ivar layers: of each stride, finest first.
    """

    layers: Sequence[Layer]

    @classmethod
    def of(cls, network: YoloxNetwork) -> SparseDecoding:
        """Take the last layers for classes from a network."""
        layers = []
        for layer in network.head.cls_preds:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            weight = layer.weight.detach()[:, :, 0, 0].numpy().T
            layers.append(Layer(np.ascontiguousarray(weight), layer.bias.detach().numpy()))
        return cls(layers)

    def found(self, raw: Sequence[Level], score_threshold: float) -> Found:
        """Give what is sure enough, stride by stride."""
        # A little less, as rounding of the sigmoid may lift it over the threshold.
        least = logit(score_threshold) - 1e-4
        columns = [
            column for level, layer, stride in zip(raw, self.layers, STRIDES, strict=True)
            if (column := _candidates(level, layer, stride, least)) is not None
        ]
        if not columns:
            return Found.none(len(raw[0].found))
        image, at, stride, cells, best, label = (np.concatenate(one) for one in zip(*columns))
        scores = sigmoid(best) * sigmoid(cells[:, BOX])
        centre = (cells[:, :2] + at) * stride
        half = np.exp(np.minimum(cells[:, 2:BOX], LARGEST)) * (stride / 2)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        kept = scores >= score_threshold
        return Found(image[kept], boxes[kept], scores[kept], label[kept], len(raw[0].found))


def _candidates(
    level: Level, layer: Layer, stride: int, least: float
) -> tuple[NDArray[Any], ...] | None:
    """
    Find the cells of a map that may hold something.

    :returns: of each its image, place, stride, box and object, best class as a logit and its
        label; None if there are none.
    """
    found = level.found.permute(0, 2, 3, 1).numpy()
    chosen = image, row, column = np.nonzero(found[..., BOX] >= least)
    if not len(image):
        return None
    assert level.classes is not None
    classes = level.classes.permute(0, 2, 3, 1).numpy()[chosen] @ layer.weight + layer.bias
    label = classes.argmax(axis=1)
    at = np.stack([column, row], axis=1).astype(np.float32)
    sides = np.full((len(at), 1), stride, np.float32)
    return image, at, sides, found[chosen], classes[np.arange(len(label)), label], label


def logit(score: float) -> float:
    """Give what has a sigmoid of ``score``; infinite for 0 and 1."""
    with np.errstate(divide='ignore'):
        return float(np.log(score) - np.log1p(-score))


def sigmoid(x: NDArray[Any]) -> Floats:
    """Squash numbers to shares; in PyTorch, so that they are the same to the last bit."""
    return np.asarray(torch.from_numpy(x).sigmoid().numpy())
