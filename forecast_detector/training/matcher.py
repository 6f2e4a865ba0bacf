"""Which anchor answers for which object (SSD's matching)."""

from __future__ import annotations

import torch
from torch import Tensor


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of every pair: (N, 4), (M, 4) xyxy to (N, M)."""
    overlap = torch.minimum(a[:, None, 2:], b[:, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])
    overlap = overlap.clamp(min=0).prod(dim=2)
    areas = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(dim=1) for x in (a, b)]
    return overlap / (areas[0][:, None] + areas[1] - overlap).clamp(min=1e-9)


def match_anchors(anchors: Tensor, boxes: Tensor, threshold: float = 0.5) -> Tensor:
    """
    Assign objects to anchors: every overlap from the threshold on, and each object's best.

    :param anchors: (A, 4), xyxy.
    :param boxes: (N, 4), xyxy.
    :returns: (A,), int64, index of the object, -1 for background.
    """
    if len(boxes) == 0:
        return torch.full((len(anchors),), -1, dtype=torch.int64, device=anchors.device)
    overlaps = pairwise_iou(anchors, boxes)
    best, match = overlaps.max(dim=1)
    match[best < threshold] = -1
    # An object's best anchor is its own, whatever the overlap; of two objects with the same
    # best anchor the later one takes it.
    match[overlaps.argmax(dim=0)] = torch.arange(len(boxes), device=boxes.device)
    return match
