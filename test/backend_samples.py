"""Small networks of both families, the answers of a backend, and what makes two of them alike."""

from conftest import make_tiny_network
import numpy as np
import pytest
import torch
from yolox_samples import make_yolox, MovingNoise, pictures

from forecast_detector.checkpoint import save_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.types import Policy

# Of what is added up in another order; confidences, shares of scores, and pixels.
CLOSE = 1e-4
# Doubt of a box looks at pixels, at places that OpenCV rounds to 1/32 of one: scores that it
# takes from make a little more of what rounding leaves.
CLOSE_SCORE = 3e-4
# Suppression chooses between boxes, and rounding may choose otherwise: so there is none.
THRESHOLD = 0.15
LOOSE = {'score_threshold': THRESHOLD, 'nms_iou': 1.0, 'max_detections': 1000}


def make_ssdlite(**changes):
    """Make a network through whose backbone something of the image comes."""
    network = make_tiny_network(**changes)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        network.train().read(pictures(4))
        for module in network.modules():
            # A channel that hardly varied would make much of what is left to rounding.
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.clamp_(min=0.3 * module.running_var.mean().item())
    return network.eval()


NETWORKS = {
    'yolox': lambda: make_yolox(correction=8, scheduler=8),
    'yolox_s': lambda: make_yolox(depthwise=False, correction=8),
    'imported': lambda: make_yolox(),
    'peek': lambda: make_ssdlite(peek=4),
    'blind': lambda: make_ssdlite(),
    'two_strides': lambda: make_ssdlite(peek=4, fine_channels=8, extra_channels=(16, 16, 16)),
}


CONFIGS = (
    StreamConfig(policy=Policy.ALTERNATE, read_every=3, **LOOSE),
    StreamConfig(p=0.8, **LOOSE),
    StreamConfig(policy=Policy.FLOW, read_every=3, **LOOSE),
)
# What is recommended with YOLOX: boxes are carried, and F rests.
CARRIED = StreamConfig(policy=Policy.SCHEDULED_FLOW, p=0.3, **LOOSE)
# Networks whose forecast is dense motion, which boxes are carried by.
MOVING = tuple(name for name in NETWORKS if 'yolox' in name or name == 'imported')


def save(name, folder):
    """Save a network whose corrections do something; gives its path."""
    network = NETWORKS[name]()
    with torch.no_grad():
        for part, value in network.named_parameters():
            if 'project' in part:  # corrections start at zero
                value.normal_(0, 0.1)
    path = folder / f'{name}.safetensors'
    save_checkpoint(path, network, half=False)
    return path


def answers(detector, config, streams=1, length=9):
    """Step streams of smooth moving noise, each with a cut."""
    detector = detector.variant()
    detector.config = config
    clips = {f'{k}': MovingNoise(shift=(3 - k, k), cut=6 + k, length=length)
             for k in range(streams)}
    return [
        detector.step({name: clip.frame(index) for name, clip in clips.items()})
        for index in range(length)
    ]


def assert_found(one, other):
    """See that the other has each detection; order and the threshold's edge are rounding's."""
    sure = one.scores > THRESHOLD + CLOSE_SCORE
    for box, score, label in zip(one.boxes[sure], one.scores[sure], one.labels[sure]):
        same = (
            (other.labels == label) & (np.abs(other.scores - score) < CLOSE_SCORE)
            & (np.abs(other.boxes - box).max(axis=1, initial=0) < 100 * CLOSE)
        )
        assert same.any()


def assert_alike(one, other):
    for first, second in zip(one, other, strict=True):
        for name in first:
            a, b = first[name], second[name]
            assert a.decision.action == b.decision.action
            assert a.decision.confidence == pytest.approx(
                b.decision.confidence, abs=CLOSE, nan_ok=True)
            assert_found(a.detections, b.detections)
            assert_found(b.detections, a.detections)
