"""Whether one object keeps one number: switches of identity against a truth with tracks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..boxes import iou
from ..data.base import Truth
from ..types import Detections


@dataclass
class Identities:
    """
    Figures of one clip, frame by frame (CLEAR MOT's identity part, Bernardin and Stiefelhagen).

    :ivar found: boxes of the truth with a detection of their class at an IoU of one half or more.
    :ivar switches: how often such a box had another number than the last time it was found.
    :ivar shared: how often a number went on to another object.
    :ivar lost: how often an object was not found in a frame after it had been.
    """

    found: int = 0
    switches: int = 0
    shared: int = 0
    lost: int = 0
    _number: dict[int, int] = field(default_factory=dict)
    _object: dict[int, int] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def add(self, detections: Detections, truth: Truth) -> None:
        """
        Take in a frame.

        :raises ValueError: if the detections have no numbers.
        """
        if detections.ids is None:
            raise ValueError('detections have no ids; set track')
        seen = set()
        for track, number in self._pairs(detections, truth):
            seen.add(track)
            self.found += 1
            self.switches += self._number.setdefault(track, number) != number
            self.shared += self._object.setdefault(number, track) != track
            self._number[track], self._object[number] = number, track
        self.lost += len(self._seen - seen)
        self._seen = seen

    @staticmethod
    def _pairs(detections: Detections, truth: Truth) -> Iterable[tuple[int, int]]:
        assert detections.ids is not None
        overlap = iou(truth.boxes, detections.boxes)
        overlap = np.where(truth.labels[:, None] == detections.labels[None, :], overlap, 0)
        for row, column in zip(*linear_sum_assignment(-overlap)):
            if overlap[row, column] >= 0.5 and truth.tracks[row] >= 0:
                yield int(truth.tracks[row]), int(detections.ids[column])
