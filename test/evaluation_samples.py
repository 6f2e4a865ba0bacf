"""Detections, truth and clips for tests that measure."""

import numpy as np

from forecast_detector.data.base import Clip, Truth
from forecast_detector.types import Detections


def found(*rows):
    """Detections from rows (x1, y1, x2, y2, score, label)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(int)
    )


def there(*rows):
    """Truth from rows (x1, y1, x2, y2, label, track)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Truth(table[:, :4].astype(np.float32), table[:, 4].astype(int), table[:, 5].astype(int))


class NoisyClip(Clip):
    """Random patches, their decodings counted; one object that moves by two pixels a frame."""

    def __init__(self, name, seed, length):
        self.name, self.length, self.decoded = name, length, 0
        patches = np.random.default_rng(seed).integers(0, 255, (length, 4, 5, 3), np.uint8)
        self.images = patches.repeat(16, axis=1).repeat(16, axis=2)

    def __len__(self):
        return self.length

    def read(self, index):
        self.decoded += 1
        return self.images[index]

    def truth(self, index):
        return there((5 + 2 * index, 5, 45 + 2 * index, 45, index % 2, 0))
