"""From the SSDLite head's raw outputs to boxes and scores; no suppression."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .anchors import decode_boxes
from .head import HeadOutput


@dataclass(frozen=True)
class AnchorDecoding:
    """
    Scores and boxes relative to anchors.

    :ivar anchors: (A, 4), centre and size in input pixels.
    """

    anchors: Tensor

    def scores(self, raw: HeadOutput) -> Tensor:
        """Return the softmax of every anchor without the background, (B, A, classes)."""
        return torch.softmax(raw.cls_logits.float(), dim=-1)[..., 1:]

    def boxes(self, raw: HeadOutput, image: Tensor, candidate: Tensor) -> Tensor:
        """
        Return the boxes of chosen anchors, (n, 4), xyxy in input pixels.

        :param image: row of the batch of each, (n,); ``candidate``: number of its anchor, (n,).
        """
        regression = raw.bbox_regression.float()[image, candidate]
        return decode_boxes(regression, self.anchors[candidate])
