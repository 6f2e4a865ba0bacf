"""SSDLite's boxes of anchors that hold something; scores are made of these anchors alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..model.anchors import decode_boxes
from ..model.head import HeadOutput
from ..model.network import ForecastNetwork
from ..postprocess import Found
from .grid import logit


class Scored(NamedTuple):
    """
    Raw outputs of the head.

    :ivar logits: (B, A, K + 1), class 0 the background; ``boxes``: (B, A, 4).
    :ivar lead: of the best class over the background, (B, A).
    """

    logits: Tensor
    boxes: Tensor
    lead: Tensor

    @classmethod
    def of(cls, raw: HeadOutput) -> Scored:
        """Make it of what the head gives."""
        logits = raw.cls_logits
        return cls(logits, raw.bbox_regression, logits[..., 1:].amax(dim=-1) - logits[..., 0])


@dataclass(frozen=True)
class SparseAnchors:
    """
    Scores and boxes relative to anchors.

    :ivar anchors: (A, 4), centre and size in input pixels.
    """

    anchors: Tensor

    @classmethod
    def of(cls, network: ForecastNetwork, input_size: tuple[int, int]) -> SparseAnchors:
        """Lay the anchors of a network for an input size."""
        return cls(network.anchors(input_size))

    def found(self, raw: Scored, score_threshold: float) -> Found:
        """Give what is sure enough."""
        logits = raw.logits.numpy()
        # Against the background alone a class is at least as likely as among all.
        image, candidate = np.nonzero(raw.lead.numpy() >= logit(score_threshold) - 1e-3)
        scores = torch.softmax(torch.from_numpy(logits[image, candidate]), dim=1)[:, 1:].numpy()
        row, label = np.nonzero(scores >= score_threshold)
        image, candidate = image[row], candidate[row]
        boxes = decode_boxes(
            raw.boxes[image, candidate], self.anchors[candidate]).numpy()
        return Found(image, boxes, scores[row, label], label, len(logits))
