"""The losses of Eq. 1: localisation, classification, forecast and decision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
import torch.nn.functional as F

from ..model.anchors import cxcywh_to_xyxy, encode_boxes
from ..model.head import HeadOutput
from . import distributed
from .matcher import match_anchors


@dataclass(frozen=True)
class Target:
    """
    Objects of one training image.

    :ivar boxes: (N, 4), xyxy, input pixels.
    :ivar labels: (N,), int64, 0-based class index.
    :ivar annotated: False where nobody annotated: nothing is known of such an image.
    """

    boxes: Tensor
    labels: Tensor
    annotated: bool = True


@dataclass(frozen=True)
class AnchorTargets:
    """
    Targets of every anchor of a batch.

    :ivar classes: (B, A), int64, 0 is background, class k is k + 1.
    :ivar regression: (B, A, 4); zero where the anchor is background.
    """

    classes: Tensor
    regression: Tensor

    def to(self, device: torch.device) -> AnchorTargets:
        """Move to a device."""
        return AnchorTargets(self.classes.to(device), self.regression.to(device))


def assign(
    targets: list[Target], anchors_cxcywh: Tensor, match_iou: float = 0.5
) -> AnchorTargets:
    """Match every image's objects to the anchors and encode them."""
    anchors = cxcywh_to_xyxy(anchors_cxcywh)
    classes, regressions = [], []
    for target in targets:
        match = match_anchors(anchors, target.boxes, match_iou)
        positive = match >= 0
        image_classes = torch.zeros_like(match)
        image_classes[positive] = target.labels[match[positive]] + 1
        regression = torch.zeros_like(anchors)
        regression[positive] = encode_boxes(
            target.boxes[match[positive]], anchors_cxcywh[positive]
        )
        classes.append(image_classes)
        regressions.append(regression)
    return AnchorTargets(torch.stack(classes), torch.stack(regressions))


def detection_losses(
    head: HeadOutput, targets: AnchorTargets, negatives_per_positive: float = 3.0
) -> tuple[Tensor, Tensor]:
    """
    Compute SSD's localisation and classification losses, divided by the M matched boxes.

    With several processes M is their mean, so that the mean of their losses is the loss of the
    whole batch.

    Negatives are mined: per image the hardest, three for each positive. An image without objects,
    or one that was not annotated, thus counts for nothing.

    :returns: (localisation, classification), scalars; both 0 (with a gradient) if M = 0.
    """
    positive = targets.classes > 0
    matched = distributed.mean(positive.sum())
    cross_entropy = F.cross_entropy(
        head.cls_logits.flatten(0, 1), targets.classes.flatten(), reduction='none'
    ).view_as(targets.classes)
    if matched == 0:
        zero = head.cls_logits.sum() * 0 + head.bbox_regression.sum() * 0
        return zero, zero
    localisation = F.smooth_l1_loss(
        head.bbox_regression[positive], targets.regression[positive], reduction='sum'
    )
    hardness = cross_entropy.detach().masked_fill(positive, -1.0)
    rank = hardness.argsort(dim=1, descending=True).argsort(dim=1)
    mined = rank < negatives_per_positive * positive.sum(dim=1, keepdim=True)
    classification = cross_entropy[positive | (mined & ~positive)].sum()
    return localisation / matched, classification / matched
