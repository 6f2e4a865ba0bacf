"""How far the head's outputs on a forecast are from those on what reading gives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
import torch.nn.functional as F

from ...engine.memory import Maps
from ...model.yolox.decoding import GridDecoding
from ...model.yolox.head import Raw

# Boxes are compared where reading finds an object of at least this score.
LEAST_SCORE = 0.05
# Cells without objects count this much in the maps' error.
BACKGROUND = 0.1


def lesson(
    decoding: GridDecoding, features: Maps, raw: Sequence[Raw], wanted: Maps,
    teacher: Sequence[Raw],
) -> dict[str, Tensor]:
    """
    Compare F, and what the head makes of it, with what reading gave.

    :param raw: of ``features``; ``teacher``: of ``wanted``.
    :returns: ``feature`` (Eq. 2), and those of :func:`distillation_losses`.
    """
    return {
        'feature': map_loss(features.maps, wanted.maps, teacher),
        **distillation_losses(decoding, raw, teacher),
    }


def means(found: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Average losses of the same names."""
    return {name: torch.stack([one[name] for one in found]).mean() for name in found[0]}


def distillation_losses(
    decoding: GridDecoding, raw: Sequence[Raw], teacher: Sequence[Raw]
) -> dict[str, Tensor]:
    """
    Compare outputs, weighted by how sure reading is of an object.

    :returns: ``objects``, ``classes``, ``boxes`` (1 - IoU) and ``scores`` (that the detector
        ranks by), each a mean over objects.
    """
    classes, objects = _flat(raw)
    sure_classes, sure_objects = _flat(teacher)
    best = sure_classes.amax(dim=1, keepdim=True).sigmoid()
    score = sure_objects.sigmoid() * best
    total = score.sum() + 1
    target = sure_objects.sigmoid()
    # As in quality focal loss (Li et al. 2020): what is right already weighs little.
    miss = (objects.sigmoid() - target).abs().detach()
    of_objects = F.binary_cross_entropy_with_logits(objects, target, reduction='none')
    of_classes = F.binary_cross_entropy_with_logits(
        classes, sure_classes.sigmoid(), reduction='none'
    ).sum(dim=1, keepdim=True)
    label = sure_classes.argmax(dim=1, keepdim=True)
    joint = objects.sigmoid() * classes.gather(1, label).sigmoid()
    return {
        'objects': (miss * of_objects).sum() / total,
        'classes': (score * of_classes).sum() / total,
        'boxes': _box_loss(decoding, raw, teacher, score[:, 0]),
        'scores': ((joint - score) ** 2).sum() / total,
    }


def _flat(raw: Sequence[Raw]) -> tuple[Tensor, Tensor]:
    """Put the cells of all strides side by side: classes (B, C, A), objects (B, 1, A)."""
    return (
        torch.cat([one.classes.flatten(2) for one in raw], dim=2),
        torch.cat([one.objects.flatten(2) for one in raw], dim=2),
    )


def _box_loss(
    decoding: GridDecoding, raw: Sequence[Raw], teacher: Sequence[Raw], score: Tensor
) -> Tensor:
    image, cell = (score > LEAST_SCORE).nonzero(as_tuple=True)
    boxes = decoding.boxes(tuple(raw), image, cell)
    wanted = decoding.boxes(tuple(teacher), image, cell)
    weight = score[image, cell]
    return ((1 - paired_iou(boxes, wanted)) * weight).sum() / (weight.sum() + 1)


def paired_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union, row by row: (N, 4), (N, 4), xyxy, to (N,)."""
    overlap = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    areas = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(dim=1) for x in (a, b)]
    shared = overlap.prod(dim=1)
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)


def map_loss(
    maps: Sequence[Tensor], wanted: Sequence[Tensor], teacher: Sequence[Raw]
) -> Tensor:
    """Give the error of the maps (Eq. 2), more where reading finds objects, and around them."""
    total = maps[0].new_zeros(())
    for one, other, raw in zip(maps, wanted, teacher):
        score = raw.scores.amax(dim=1, keepdim=True)
        weight = BACKGROUND + F.max_pool2d(score, 3, 1, 1)
        error = F.smooth_l1_loss(one, other, reduction='none').mean(dim=1, keepdim=True)
        total = total + (error * weight).sum() / weight.sum()
    return total
