"""What several test modules share: samples, and what makes them."""

import numpy as np

from forecast_detector.config import StreamConfig
from forecast_detector.evaluation.rollout import run_settings, Setting
from forecast_detector.evaluation.run import run_clips
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.policies.registry import make_runner
from forecast_detector.types import Frame, Policy

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


def live_and_stored(policy, detector, clips, p, read_every=3):
    """Run clips frame by frame on their images, and again all at once on stored features."""
    live = run_clips(make_runner(policy, detector, p, read_every), clips)
    config = evaluation_config(
        Policy.ALTERNATE if policy == 'copy' else Policy(policy), p, read_every=read_every)
    stored = run_settings(FeatureStore(detector, clips), [Setting(config, copy=policy == 'copy')])
    return live, stored[0]
