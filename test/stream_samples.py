"""What several test modules share: samples, and what makes them."""

import numpy as np

from forecast_detector.config import StreamConfig
from forecast_detector.types import (
    Frame,
)

FRAME_NS = 100_000_000


EVERYTHING = StreamConfig(score_threshold=0.0, max_detections=20)


def noise(seed, size=(96, 64)):
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)


def clip(length, seed=0, **header):
    return [
        Frame(t * FRAME_NS, lambda t=t: noise(seed * 1000 + t), (96, 64), **header)
        for t in range(length)
    ]


def step_one(detector, frame, stream='camera'):
    return detector.step({stream: frame})[stream]


def actions(results):
    return [result.decision.action for result in results]
