"""Compiled networks: the answers of PyTorch, within rounding, and never a silent fallback."""

from conftest import make_tiny_network
import numpy as np
import pytest
import torch
from yolox_samples import make_yolox, MovingNoise

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.engine import StreamingDetector
from forecast_detector.types import Action, Policy

pytest.importorskip('openvino')

# Of what is added up in another order; confidences, shares of scores, and pixels.
CLOSE = 1e-4
# Suppression chooses between boxes, and rounding may choose otherwise: so there is none.
THRESHOLD = 0.15
LOOSE = {'score_threshold': THRESHOLD, 'nms_iou': 1.0, 'max_detections': 1000}
NETWORKS = {
    'yolox': lambda: make_yolox(correction=8, scheduler=8),
    'yolox_s': lambda: make_yolox(depthwise=False, correction=8),
    'imported': lambda: make_yolox(),
    'peek': lambda: make_tiny_network(peek=4),
    'blind': lambda: make_tiny_network(),
    'two_strides': lambda: make_tiny_network(peek=4, fine_channels=8, extra_channels=(16, 16, 16)),
}


@pytest.fixture(scope='module', autouse=True)
def _folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='module', params=NETWORKS)
def pair(request, tmp_path_factory):
    """The same weights, run by PyTorch and compiled."""
    network = NETWORKS[request.param]()
    with torch.no_grad():
        for name, value in network.named_parameters():
            if 'project' in name:  # corrections start at zero
                value.normal_(0, 0.1)
    path = tmp_path_factory.mktemp('weights') / 'w.safetensors'
    save_checkpoint(path, network, half=False)
    checkpoint = load_checkpoint(path)
    return tuple(
        StreamingDetector(checkpoint, device='cpu', backend=name)
        for name in ('torch', 'openvino')
    )


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
    sure = one.scores > THRESHOLD + CLOSE
    for box, score, label in zip(one.boxes[sure], one.scores[sure], one.labels[sure]):
        same = (
            (other.labels == label) & (np.abs(other.scores - score) < CLOSE)
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


CONFIGS = (
    StreamConfig(policy=Policy.ALTERNATE, read_every=3, **LOOSE),
    StreamConfig(p=0.8, **LOOSE),
    StreamConfig(policy=Policy.FLOW, read_every=3, **LOOSE),
)


def test_answers_are_those_of_pytorch(pair):
    for config in CONFIGS:
        reference, compiled = (answers(one, config) for one in pair)
        assert any(len(step['0'].detections) for step in reference)
        if config.policy is Policy.ALTERNATE:
            assert {step['0'].decision.action for step in reference} == set(Action)
        assert_alike(reference, compiled)


def test_streams_share_steps(pair):
    reference, compiled = pair
    compiled.prepare(streams=2)
    assert_alike(*(answers(one, CONFIGS[1], streams=3, length=5) for one in pair))


def test_each_stream_has_its_own_surprise(pair):
    """They are judged in one batch, and differ."""
    seen = []
    for one in pair:
        detector = one.variant()
        detector.config = StreamConfig(p=0.8)
        clips = {'a': MovingNoise(), 'b': MovingNoise(shift=(0, 3), cut=2)}
        for index in range(3):
            detector.step({name: clip.frame(index) for name, clip in clips.items()})
        seen.append([detector.surprise(name) for name in clips])
    for reference, compiled in zip(*seen):
        if reference is None:  # of weights without a peek
            assert compiled is None
        else:
            np.testing.assert_allclose(compiled, reference, atol=CLOSE)
    assert seen[0][0] is None or not np.allclose(seen[0][0], seen[0][1], atol=0.01)


def test_anticipation_is_that_of_pytorch(pair):
    for one in pair:
        one.config = CONFIGS[0]
        for index in range(3):
            one.step({'a': MovingNoise().frame(index)})
    reference, compiled = (one.anticipate('a') for one in pair)
    assert_found(reference, compiled)
    assert_found(compiled, reference)
