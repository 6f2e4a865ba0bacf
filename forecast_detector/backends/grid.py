"""YOLOX's boxes of cells that hold something; classes are made of these cells alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor

from ..layout import array
from ..model.yolox.backbone import STRIDES
from ..model.yolox.config import FOUND
from ..model.yolox.network import YoloxNetwork
from ..postprocess import Found

Floats = NDArray[np.float32]
# Coordinates of a box, before whether there is an object.
BOX = FOUND - 1
# As the head's own decoding has it: no box is larger.
LARGEST = 10.0
# Multiplications of a product of matrices for which OpenBLAS, which NumPy has, takes no second
# thread. Such a thread spins on for half a READ and longer, on a core that others need; PyTorch
# wakes one from fewer on, which takes longer than the product does.
PRODUCT = 1 << 18


class Layer(NamedTuple):
    """The last layer for classes of a stride: (C, classes) and (classes,)."""

    weight: Floats
    bias: Floats

    @classmethod
    def made(cls, layer: nn.Conv2d) -> Layer:
        """Take it from a convolution over single cells."""
        assert layer.bias is not None
        weight = layer.weight.detach()[:, :, 0, 0].t().contiguous()
        return cls(weight.numpy(), layer.bias.detach().numpy())

    def of(self, cells: Floats) -> Floats:
        """Give the logits of cells, (N, C) to (N, classes)."""
        rows = max(1, PRODUCT // self.weight.size)
        made = [cells[k:k + rows] @ self.weight for k in range(0, max(1, len(cells)), rows)]
        return np.asarray(made[0] if len(made) == 1 else np.concatenate(made)) + self.bias


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
            assert isinstance(layer, nn.Conv2d)
            layers.append(Layer.made(layer))
        return cls(layers)

    def found(self, raw: Sequence[Tensor], score_threshold: float) -> Found:
        """
        Give what is sure enough, stride by stride.

        :param raw: maps of F, finest first.
        """
        # A little less, as rounding of the sigmoid may lift it over the threshold.
        least = logit(score_threshold) - 1e-4
        columns = [
            column for one, layer, stride in zip(raw, self.layers, STRIDES, strict=True)
            if (column := _candidates(array(one), layer, stride, least)) is not None
        ]
        if not columns:
            return Found.none(len(raw[0]))
        image, at, stride, cells, best, label = (np.concatenate(one) for one in zip(*columns))
        scores = sigmoid(best) * sigmoid(cells[:, BOX])
        centre = (cells[:, :2] + at) * stride
        half = np.exp(np.minimum(cells[:, 2:BOX], LARGEST)) * (stride / 2)
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        kept = scores >= score_threshold
        return Found(image[kept], boxes[kept], scores[kept], label[kept], len(raw[0]))


def _candidates(
    cells: Floats, layer: Layer, stride: int, least: float
) -> tuple[NDArray[Any], ...] | None:
    """
    Find the cells of a map that may hold something.

    :param cells: (B, h, w, C).
    :returns: of each its image, place, stride, box and object, best class as a logit and its
        label; None if there are none.
    """
    image, row, column = np.nonzero(cells[..., -1] >= least)
    if not len(image):
        return None
    chosen = cells[image, row, column]
    classes = layer.of(chosen[:, :-FOUND])
    label = classes.argmax(axis=1)
    at = np.stack([column, row], axis=1).astype(np.float32)
    sides = np.full((len(at), 1), stride, np.float32)
    return image, at, sides, chosen[:, -FOUND:], classes[np.arange(len(label)), label], label


def logit(score: float) -> float:
    """Give what has a sigmoid of ``score``; infinite for 0 and 1."""
    with np.errstate(divide='ignore'):
        return float(np.log(score) - np.log1p(-score))


def sigmoid(x: NDArray[Any]) -> Floats:
    """Squash numbers to shares; in PyTorch, so that they are the same to the last bit."""
    return np.asarray(torch.from_numpy(x).sigmoid().numpy())
