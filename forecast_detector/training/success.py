"""The scheduler's labels: did the forecast serve the next frame? (section 3.4)"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
import torch.nn.functional as F

from ..boxes import iou
from ..config import StreamConfig
from ..model.network import ForecastNetwork
from ..postprocess import Decoding, to_detections
from ..types import Detections
from . import distributed
from .losses import Target
from .recipes import TemporalRecipe

UNKNOWN = -1


def serves(found: Detections, target: Target, recipe: TemporalRecipe) -> bool:
    """
    Judge the detections of one frame.

    :param found: with scores from ``success_score`` on.
    :returns: whether every object is found, with its class and enough overlap; where there is
        no object, whether nothing is seen with confidence.
    """
    if len(target.labels) == 0:
        return not (found.scores >= recipe.false_alarm_score).any()
    return bool(objects_found(found, target, recipe).all())


def serves_as_well(
    found: Detections, read: Detections, target: Target, recipe: TemporalRecipe
) -> bool:
    """
    Judge the detections of a forecast against those of a READ of the same frame.

    :returns: whether the forecast finds every object that the READ finds; where there is no
        object, whether it raises no alarm that the READ does not.
    """
    if len(target.labels) == 0:
        return serves(found, target, recipe) or not serves(read, target, recipe)
    needed = objects_found(read, target, recipe)
    return bool(objects_found(found, target, recipe)[needed].all())


def objects_found(
    found: Detections, target: Target, recipe: TemporalRecipe
) -> NDArray[np.bool_]:
    """Say of each object, (N,), whether it is detected with its class and enough overlap."""
    overlap = iou(target.boxes.numpy(), found.boxes) > recipe.success_iou
    same_class = target.labels.numpy()[:, None] == found.labels[None, :]
    return np.asarray((overlap & same_class).any(axis=1))


@torch.no_grad()
def forecast_serves(
    network: ForecastNetwork,
    forecasts: Tensor,
    reads: Tensor | None,
    targets: list[Target],
    decoding: Decoding,
    recipe: TemporalRecipe,
) -> Tensor:
    """
    Label forecasts with the next frame's objects: D(t+1) from Fc, no state update.

    :param forecasts: Fc, (B, C, H, W).
    :param reads: F of the frame after, likewise; without it the objects alone judge.
    :param targets: objects of the frame after, one entry a forecast.
    :param decoding: of the network, for the size of its input.
    :returns: (B,), int64: 1 where the forecast serves, 0 where not, ``UNKNOWN`` where the frame
        after was not annotated.
    """
    config = StreamConfig()

    def detect(features: Tensor) -> list[Detections]:
        return to_detections(
            decoding, network.detect(features), recipe.success_score, config.nms_iou,
            config.max_detections,
        )

    found = detect(forecasts)
    if reads is None:
        labels = [serves(f, t, recipe) for f, t in zip(found, targets)]
    else:
        triples = zip(found, detect(reads), targets)
        labels = [serves_as_well(f, r, t, recipe) for f, r, t in triples]
    known = [
        int(label) if target.annotated else UNKNOWN for label, target in zip(labels, targets)
    ]
    return torch.tensor(known, dtype=torch.int64)


def decision_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """
    Compute the scheduler's cross entropy, over the forecasts that could be judged.

    With several processes the mean of their losses is the loss of the whole batch.

    :param logits: (B, 2); ``labels``: (B,), of :func:`forecast_serves`.
    """
    known = distributed.mean((labels != UNKNOWN).sum())
    total = F.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction='sum')
    # A mean over processes can lie below 1.
    return total / known.clamp(min=1 / distributed.world())
