"""SSDLite's boxes of anchors that hold something; scores are made of these anchors alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch

from ..model.anchors import decode_boxes
from ..model.head import HeadOutput
from ..model.network import ForecastNetwork
from ..postprocess import Found


@dataclass(frozen=True)
class SparseAnchors:
    """
    Scores and boxes relative to anchors.

    :ivar anchors: (A, 4), centre and size in input pixels.
    """

    anchors: torch.Tensor

    @classmethod
    def of(cls, network: ForecastNetwork, input_size: tuple[int, int]) -> SparseAnchors:
        """Lay the anchors of a network for an input size."""
        return cls(network.anchors(input_size))

    def found(self, raw: HeadOutput, score_threshold: float) -> Found:
        """Give what is sure enough."""
        logits: NDArray[Any] = raw.cls_logits.numpy()
        # A class that is likelier than the threshold against the background and itself alone.
        least = np.log(max(score_threshold, 1e-30)) - np.log1p(-min(score_threshold, 1 - 1e-7))
        ahead = logits[..., 1:].max(axis=-1) - logits[..., 0] >= least - 1e-3
        image, candidate = np.nonzero(ahead)
        scores = torch.softmax(torch.from_numpy(logits[image, candidate]), dim=1)[:, 1:].numpy()
        row, label = np.nonzero(scores >= score_threshold)
        image, candidate = image[row], candidate[row]
        boxes = decode_boxes(
            raw.bbox_regression[image, candidate], self.anchors[candidate]).numpy()
        return Found(image, boxes, scores[row, label], label, len(logits))
