"""YOLOX's boxes of cells that hold something; classes are made of these cells alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..model.yolox.backbone import STRIDES
from ..model.yolox.network import YoloxNetwork
from ..postprocess import Found
from .arrays import array

Floats = NDArray[np.float32]


class Level(NamedTuple):
    """
    What the head makes of a map, but for its last layer for classes.

    :ivar classes: what that layer is given, (B, C, h, w); None where it is part of the map.
    :ivar boxes: (B, 4, h, w); ``objects``: logits, (B, 1, h, w).
    """

    classes: Tensor | None
    boxes: Tensor
    objects: Tensor


@dataclass(frozen=True)
class SparseDecoding:
    """
    One box a cell. A cell is at most as sure of a class as of an object.

    :ivar layers: of each stride, weights and biases of the last layer for classes.
    """

    layers: Sequence[tuple[Floats, Floats]]

    @classmethod
    def of(cls, network: YoloxNetwork, input_size: tuple[int, int]) -> SparseDecoding:
        """Take the last layers for classes from a network."""
        layers = []
        for layer in network.head.cls_preds:
            weight, bias = layer.weight, layer.bias
            assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
            layers.append((weight[:, :, 0, 0].float().numpy().T.copy(), bias.float().numpy()))
        return cls(layers)

    def found(self, raw: Sequence[Level], score_threshold: float) -> Found:
        """Give what is sure enough, stride by stride."""
        return Found.joined([
            _of_level(level, layer, stride, score_threshold)
            for level, layer, stride in zip(raw, self.layers, STRIDES, strict=True)
        ])


def _of_level(
    level: Level, layer: tuple[Floats, Floats], stride: int, score_threshold: float
) -> Found:
    with np.errstate(divide='ignore'):
        least = np.log(score_threshold) - np.log1p(-score_threshold)
    objects = array(level.objects)[..., 0]
    # A little less, as rounding of the sigmoid may lift it over the threshold.
    image, row, column = np.nonzero(objects >= least - 1e-4)
    assert level.classes is not None
    classes = array_rows(level.classes, image, row, column) @ layer[0] + layer[1]
    label = classes.argmax(axis=1)
    scores = _sigmoid(classes[np.arange(len(label)), label]) * _sigmoid(
        objects[image, row, column])
    kept = scores >= score_threshold
    image, row, column = image[kept], row[kept], column[kept]
    regression = array_rows(level.boxes, image, row, column)
    centre = (regression[:, :2] + np.stack([column, row], axis=1)) * np.float32(stride)
    half = np.exp(np.minimum(regression[:, 2:], 10)) * np.float32(stride / 2)
    boxes = np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
    return Found(image, boxes, scores[kept], label[kept], len(objects))


def array_rows(x: Tensor, image: Any, row: Any, column: Any) -> Floats:
    """Take cells of maps, (B, C, h, w), as (n, C)."""
    rows: Floats = x.detach().permute(0, 2, 3, 1).numpy()[image, row, column]
    return rows.astype(np.float32, copy=False)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(torch.from_numpy(x).sigmoid().numpy())
