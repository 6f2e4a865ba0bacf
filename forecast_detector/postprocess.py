"""From the head's raw outputs to detections: thresholds, non-maximum suppression."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .boxes import area, Geometry
from .types import Detections


class Decoding(Protocol):
    """From a head's raw outputs to boxes and scores, for one input size."""

    def scores(self, raw: Any) -> Tensor:
        """Return the scores of every candidate, (B, A, classes), in [0, 1]."""

    def boxes(self, raw: Any, image: Tensor, candidate: Tensor) -> Tensor:
        """
        Return the boxes of chosen candidates, (n, 4), xyxy in input pixels.

        :param image: row of the batch of each, (n,); ``candidate``: its number, (n,).
        """


# Candidates before suppression; SSD keeps as many.
CANDIDATES = 400


def suppress(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    nms_iou: float,
) -> NDArray[np.int64]:
    """
    Choose the boxes that no stronger box of their class overlaps.

    :param boxes: (N, 4), xyxy.
    :returns: indices of those kept, by falling score.
    """
    if len(boxes) == 0:
        return np.zeros(0, np.int64)
    # Moved apart by class, boxes of different classes never overlap.
    moved = boxes + (labels * (boxes.max() - boxes.min() + 1)).astype(np.float32)[:, None]
    sized = np.concatenate([moved[:, :2], moved[:, 2:] - moved[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(sized.tolist(), scores.tolist(), 0.0, nms_iou)
    return np.asarray(kept, np.int64).reshape(-1)


def to_detections(
    decoding: Decoding,
    raw: Any,
    score_threshold: float,
    nms_iou: float,
    max_detections: int,
) -> list[Detections]:
    """
    Turn raw predictions into detections, one entry an image, boxes in input pixels.

    :param decoding: of the network; ``raw``: outputs of its head.
    :param score_threshold: weaker detections are dropped, [0, 1].
    """
    scores = decoding.scores(raw)
    # Few are strong enough: to find these first is cheaper than to put all in order.
    image, candidate, label = (scores >= score_threshold).nonzero(as_tuple=True)
    boxes = decoding.boxes(raw, image, candidate)
    columns = [
        column.cpu().numpy() for column in (boxes, scores[image, candidate, label], label)
    ]
    ends = np.cumsum(np.bincount(image.cpu().numpy(), minlength=len(scores)))
    detections = []
    for start, end in zip([0, *ends[:-1]], ends):
        of_image = [column[start:end] for column in columns]
        strongest = np.argsort(-of_image[1], kind='stable')[:CANDIDATES]
        image_boxes, image_scores, labels = (column[strongest] for column in of_image)
        kept = suppress(image_boxes, image_scores, labels, nms_iou)[:max_detections]
        detections.append(Detections(image_boxes[kept], image_scores[kept], labels[kept]))
    return detections


def to_image(found: Detections, geometry: Geometry) -> Detections:
    """Move detections from input pixels to those of the image; what lies outside is gone."""
    boxes = geometry.to_image(found.boxes).astype(np.float32)
    inside = area(boxes) > 0
    return Detections(boxes[inside], found.scores[inside], found.labels[inside])
