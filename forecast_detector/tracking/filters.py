"""Constant-velocity Kalman filters of many boxes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.int64]
PARTS = ('mean', 'velocity', 'var_position', 'cov', 'var_velocity')


@dataclass(frozen=True)
class KalmanConfig:
    """
    Noise and association; lengths are shares of the side of a box, sqrt(width * height).

    :ivar measurement: standard deviation of a detected coordinate.
    :ivar velocity: standard deviation of the velocity of a new track, per frame, of the box's
        centre and of its size.
    :ivar acceleration: growth of the standard deviation of the velocity in a frame, of
        centre and size.
    :ivar strong: score from which a detection chooses its track before the others.
    :ivar buffer: a box is widened by this share of its sides, each way, before boxes are
        compared: small fast objects do not overlap themselves after a few frames.
    :ivar min_overlap: IoU of the widened boxes below which they are not one object.
    :ivar max_missed: times in a row that a track of a strong detection survives unseen; one of
        a weak detection survives none.
    :ivar score_decay: factor on the score a frame that a box is carried.
    """

    measurement: float = 0.06
    velocity: tuple[float, float] = (0.1, 0.03)
    acceleration: tuple[float, float] = (0.008, 0.004)
    strong: float = 0.2
    buffer: float = 0.5
    min_overlap: float = 0.1
    max_missed: int = 3
    score_decay: float = 1.0


class Filters:
    """
    Filters of many boxes; every coordinate (centre x, y, width, height) is its own.

    Arrays are (T, 4): mean and velocity, and the three entries of the covariance.
    """

    def __init__(self, boxes: FloatArray, config: KalmanConfig) -> None:
        """
        Begin one at each box.

        :param boxes: (T, 4), cxcywh.
        """
        self.config = config
        self.mean = boxes.copy()
        self.velocity = np.zeros_like(boxes)
        side = _side(boxes)
        self.var_position = np.repeat((config.measurement * side) ** 2, 4, axis=1)
        self.cov = np.zeros_like(boxes)
        self.var_velocity = (_spread(config.velocity) * side) ** 2

    def predict(self, frames: float) -> None:
        """Advance by a number of frames."""
        noise = (_spread(self.config.acceleration) * _side(self.mean)) ** 2
        self.mean = self.mean + frames * self.velocity
        self.mean[:, 2:] = np.maximum(self.mean[:, 2:], 1e-3)
        self.var_position += (
            2 * frames * self.cov + frames**2 * self.var_velocity + noise * frames**3 / 3
        )
        self.cov += frames * self.var_velocity + noise * frames**2 / 2
        self.var_velocity = self.var_velocity + noise * frames

    def update(self, rows: IntArray, boxes: FloatArray) -> None:
        """Take in a detected box (cxcywh) for each of the rows."""
        measured = (self.config.measurement * _side(boxes)) ** 2
        total = self.var_position[rows] + measured
        total = np.where(total > 0, total, 1.0)
        gain, gain_velocity = self.var_position[rows] / total, self.cov[rows] / total
        error = boxes - self.mean[rows]
        self.mean[rows] += gain * error
        self.velocity[rows] += gain_velocity * error
        self.var_velocity[rows] -= gain_velocity * self.cov[rows]
        self.cov[rows] *= 1 - gain
        self.var_position[rows] *= 1 - gain

    def keep(self, rows: IntArray) -> None:
        """Keep these rows, in this order."""
        for name in PARTS:
            setattr(self, name, getattr(self, name)[rows])

    def extend(self, boxes: FloatArray) -> None:
        """Begin one more at each box."""
        new = Filters(boxes, self.config)
        for name in PARTS:
            setattr(self, name, np.concatenate([getattr(self, name), getattr(new, name)]))


def _side(boxes: FloatArray) -> FloatArray:
    """Side of the square as large as each box (cxcywh), (T, 1)."""
    return np.sqrt(np.maximum(boxes[:, 2:3] * boxes[:, 3:4], 1.0))


def _spread(centre_and_size: tuple[float, float]) -> FloatArray:
    """One value for each of cx, cy, w, h."""
    return np.repeat(np.array(centre_and_size), 2)


def to_cxcywh(boxes: FloatArray) -> FloatArray:
    """Two corners to centre and size, (N, 4)."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([boxes[:, :2] + size / 2, size], axis=1)


def to_xyxy(boxes_cxcywh: FloatArray) -> FloatArray:
    """Centre and size to two corners, (N, 4)."""
    half = boxes_cxcywh[:, 2:] / 2
    return np.concatenate([boxes_cxcywh[:, :2] - half, boxes_cxcywh[:, :2] + half], axis=1)
