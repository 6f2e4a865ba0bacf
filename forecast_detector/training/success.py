"""The scheduler's labels: did the forecast serve the next frame? (section 3.4)"""

from __future__ import annotations

import torch
from torch import Tensor

from ..boxes import iou
from ..model.network import ForecastNetwork
from ..postprocess import to_detections
from ..types import Detections
from .config import TemporalRecipe
from .losses import Target


def serves(found: Detections, target: Target, recipe: TemporalRecipe) -> bool:
    """
    Judge the detections of one frame.

    :param found: with scores from ``success_score`` on.
    :returns: whether every object is found, with its class and enough overlap; where there is
        no object, whether nothing is seen with confidence.
    """
    if len(target.labels) == 0:
        return not (found.scores >= recipe.false_alarm_score).any()
    overlap = iou(target.boxes.numpy(), found.boxes) > recipe.success_iou
    same_class = target.labels.numpy()[:, None] == found.labels[None, :]
    return bool((overlap & same_class).any(axis=1).all())


@torch.no_grad()
def forecast_serves(
    network: ForecastNetwork,
    forecasts: Tensor,
    targets: list[Target],
    anchors: Tensor,
    recipe: TemporalRecipe,
) -> Tensor:
    """
    Label forecasts with the next frame's objects: D(t+1) from Fc, no state update.

    :param forecasts: Fc, (B, C, H, W).
    :param targets: objects of the frame after, one entry a forecast.
    :returns: (B,), int64, 1 where the forecast serves.
    """
    detections = to_detections(
        network.head(forecasts), anchors, recipe.success_score, nms_iou=0.5, max_detections=100
    )
    return torch.tensor(
        [int(serves(found, target, recipe)) for found, target in zip(detections, targets)]
    )
