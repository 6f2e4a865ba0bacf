"""From the head's raw outputs to detections: thresholds, non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

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


@dataclass(frozen=True)
class Found:
    """
    Candidates that are sure enough, of a batch of images, in any order.

    :ivar image: row of the batch of each, (n,); ``boxes``: (n, 4), xyxy in input pixels.
    :ivar scores: (n,), in [0, 1]; ``labels``: (n,).
    :ivar images: their number.
    """

    image: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    images: int

    @classmethod
    def none(cls, images: int) -> Found:
        """Find nothing."""
        empty = Detections()
        return cls(np.zeros(0, np.int64), empty.boxes, empty.scores, empty.labels, images)

    def strongest(self, row: int) -> Detections:
        """Give those of an image, by falling score, as many as suppression takes."""
        boxes, scores, labels = self.boxes, self.scores, self.labels
        if self.images > 1:
            here = self.image == row
            boxes, scores, labels = boxes[here], scores[here], labels[here]
        order = np.argsort(-scores, kind='stable')[:CANDIDATES]
        return Detections(boxes[order], scores[order], labels[order])


@runtime_checkable
class Finding(Protocol):
    """A decoding that finds what is sure enough by itself."""

    def found(self, raw: Any, score_threshold: float) -> Found:
        """Give the candidates whose score is at least a threshold."""


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


def find(decoding: Decoding, raw: Any, score_threshold: float) -> Found:
    """
    Give the candidates whose score is at least a threshold.

    :param decoding: of the network; ``raw``: outputs of its head.
    """
    scores = decoding.scores(raw)
    # Few are strong enough: to find these first is cheaper than to put all in order.
    image, candidate, label = (scores >= score_threshold).nonzero(as_tuple=True)
    boxes = decoding.boxes(raw, image, candidate)
    image, boxes, score, label = (
        column.cpu() for column in (image, boxes, scores[image, candidate, label], label)
    )
    return Found(image.numpy(), boxes.numpy(), score.numpy(), label.numpy(), len(scores))


def to_detections(
    decoding: Decoding | Finding,
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
    if isinstance(decoding, Finding):
        found = decoding.found(raw, score_threshold)
    else:
        found = find(decoding, raw, score_threshold)
    detections = []
    for row in range(found.images):
        one = found.strongest(row)
        kept = suppress(one.boxes, one.scores, one.labels, nms_iou)[:max_detections]
        detections.append(Detections(one.boxes[kept], one.scores[kept], one.labels[kept]))
    return detections


def to_image(found: Detections, geometry: Geometry) -> Detections:
    """Move detections from input pixels to those of the image; what lies outside is gone."""
    boxes = geometry.to_image(found.boxes).astype(np.float32)
    inside = area(boxes) > 0
    return Detections(boxes[inside], found.scores[inside], found.labels[inside])
