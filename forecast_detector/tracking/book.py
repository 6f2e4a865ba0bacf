"""
Tracks of objects, and the detections that continue them.

A detection continues the track that explains it best: same class, Hungarian assignment on
buffered IoU, strong detections first as in ByteTrack (Zhang et al. 2022).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..boxes import iou
from ..types import Detections
from .filters import Filters, FloatArray, IntArray, KalmanConfig, to_cxcywh, to_xyxy


class TrackBook:
    """
    All tracks of one camera.

    :ivar filters: where each is and goes; ``ids``: its number, never given twice.
    """

    def __init__(self, config: KalmanConfig) -> None:
        """Start with none; the first is number 1."""
        self.config, self._next = config, 1
        self.start()

    def start(self) -> None:
        """Forget all tracks; numbers go on."""
        self.filters = Filters(np.zeros((0, 4)), self.config)
        self.ids: IntArray = np.zeros(0, np.int64)
        self._labels: IntArray = np.zeros(0, np.int64)
        self._missed: IntArray = np.zeros(0, np.int64)
        self._strong: NDArray[np.bool_] = np.zeros(0, bool)

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.ids)

    def take(self, detections: Detections, frames: float) -> IntArray:
        """
        Take in the detections of a frame.

        :param frames: how many there were since the last one that was taken in.
        :returns: row of each detection's track.
        """
        boxes = to_cxcywh(detections.boxes.astype(np.float64))
        strong = detections.scores >= self.config.strong
        self.filters.predict(frames)
        rows: IntArray = np.full(len(boxes), -1, np.int64)
        free = np.ones(len(self), bool)
        for stage in (strong, ~strong):
            chosen = np.flatnonzero(stage)
            if len(chosen) and free.any():
                rows[chosen] = self._associate(boxes[chosen], detections.labels[chosen], free)
                free[rows[chosen][rows[chosen] >= 0]] = False
        seen = rows >= 0
        self.filters.update(rows[seen], boxes[seen])
        self._strong[rows[seen]] |= strong[seen]
        self._missed = np.where(free, self._missed + 1, 0)
        self._begin(rows, boxes, detections.labels, strong)
        return self._prune(rows)

    def _associate(
        self, boxes: FloatArray, labels: IntArray, free: NDArray[np.bool_]
    ) -> IntArray:
        """Row of the track that each box continues, -1 for none."""
        rows = np.full(len(boxes), -1, np.int64)
        tracks = np.flatnonzero(free)
        shared = iou(self._widened(boxes), self._widened(self.filters.mean[tracks]))
        shared = np.where(labels[:, None] == self._labels[tracks][None, :], shared, 0.0)
        found, track = linear_sum_assignment(-shared)
        kept = shared[found, track] >= self.config.min_overlap
        rows[found[kept]] = tracks[track[kept]]
        return rows

    def _widened(self, boxes: FloatArray) -> FloatArray:
        grown = boxes.copy()
        grown[:, 2:] *= 1 + 2 * self.config.buffer
        return to_xyxy(grown)

    def _begin(
        self, rows: IntArray, boxes: FloatArray, labels: IntArray, strong: NDArray[np.bool_]
    ) -> None:
        """Begin a track for each box without one, and note its row."""
        new = rows < 0
        count = int(new.sum())
        if not count:
            return
        rows[new] = len(self) + np.arange(count)
        self.filters.extend(boxes[new])
        self.ids = np.concatenate([self.ids, self._next + np.arange(count)])
        self._labels = np.concatenate([self._labels, labels[new]])
        self._missed = np.concatenate([self._missed, np.zeros(count, np.int64)])
        self._strong = np.concatenate([self._strong, strong[new]])
        self._next += count

    def _prune(self, rows: IntArray) -> IntArray:
        """Drop tracks unseen for too long; give the rows of the frame afterwards."""
        alive = self._missed <= np.where(self._strong, self.config.max_missed, 0)
        if alive.all():
            return rows
        kept = np.flatnonzero(alive)
        self.filters.keep(kept)
        self.ids, self._labels = self.ids[kept], self._labels[kept]
        self._missed, self._strong = self._missed[kept], self._strong[kept]
        after: IntArray = (np.cumsum(alive) - 1)[rows]
        return after
