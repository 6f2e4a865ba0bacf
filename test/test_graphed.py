"""Networks behind CUDA graphs: PyTorch's answers; on a pretended GPU, and a real one if there."""

import logging

from backend_samples import (
    answers,
    assert_alike,
    assert_found,
    CARRIED,
    CLOSE,
    CONFIGS,
    make_ssdlite,
    MOVING,
    NETWORKS,
    save,
)
import fake_graphs
import numpy as np
from pretend_gpu import GPU, PretendGPU
import pytest
import torch
from yolox_samples import make_yolox, MovingNoise, pictures

from forecast_detector.backends.choice import connect
from forecast_detector.backends.graphed import GraphedSSDLite, GraphedYolox
from forecast_detector.backends.graphs import Graphs
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.config import StreamConfig
from forecast_detector.engine import machinery, StreamingDetector
from forecast_detector.engine.gpu_reading import GpuReader
from forecast_detector.model.fuse import fuse_norms
from forecast_detector.preprocess import lay_image
from forecast_detector.trees import leaves
from forecast_detector.types import Action, Frame, Policy

CPU, SIZE = torch.device('cpu'), (64, 96)
REAL = pytest.param('real', marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs a CUDA device'))


class Counted(PretendGPU):
    """Count how often somebody waits for the GPU to hand something over."""

    waits = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, '__name__', '') in ('cpu', 'tolist', 'item', '__bool__', 'nonzero'):
            self.waits += self.holds(args[0])
        return super().__torch_function__(function, types, args, kwargs)


@pytest.fixture(params=['pretended', REAL])
def gpu(request, monkeypatch):
    """Run as on a GPU; pretended are the device and its graphs."""
    if request.param == 'real':
        # Shorter mantissas are not what is compared here.
        monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
        yield None
        return
    fake_graphs.install(monkeypatch)
    monkeypatch.setattr(machinery, 'select_device', lambda name: (GPU, 'pretended'))
    with Counted() as pretended:
        yield pretended


def on_gpu(weights, steps, **settings):
    """Do something with a detector whose network runs in graphs."""
    checkpoint = load_checkpoint(weights)
    return steps(StreamingDetector(checkpoint, None, 'cuda', backend='cuda_graphs', **settings))


def on_cpu(weights, steps, **settings):
    """Do it in PyTorch, with nothing pretended."""
    with torch._C.DisableTorchFunction(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(machinery, 'select_device', lambda name: (CPU, 'the reference'))
        return steps(StreamingDetector(load_checkpoint(weights), backend='torch', **settings))


@pytest.fixture(params=NETWORKS)
def both(request, tmp_path):
    """Do something with a detector in PyTorch, and with one in graphs."""
    weights = save(request.param, tmp_path)
    return lambda steps: (on_cpu(weights, steps), on_gpu(weights, steps))


def test_answers_are_those_of_pytorch(gpu, both):
    def steps(detector):
        return [answers(detector, config) for config in CONFIGS]

    for expected, found in zip(*both(steps), strict=True):
        assert any(len(step['0'].detections) for step in expected)
        assert_alike(expected, found)


@pytest.mark.parametrize('both', MOVING, indirect=True)
@pytest.mark.parametrize('streams', [1, 3])
def test_carried_boxes_are_those_of_pytorch(gpu, both, streams):
    def steps(detector):
        detector.prepare(2)
        return answers(detector, CARRIED, streams)

    expected, found = both(steps)
    assert {step['0'].decision.action for step in expected} == set(Action)
    assert_alike(expected, found)


FAMILIES = pytest.mark.parametrize('both', ['yolox', 'peek'], indirect=True)


@FAMILIES
def test_streams_share_steps(gpu, both):
    def steps(detector):
        found = []
        for prepared in (1, 2, 4):
            detector.prepare(prepared)
            found += answers(detector, CONFIGS[1], streams=3, length=4)
        return found

    assert_alike(*both(steps))


@FAMILIES
def test_a_stream_that_pauses_goes_on_from_its_own_past(gpu, both):
    def steps(detector):
        detector.config = CONFIGS[0]
        one, other = MovingNoise(), MovingNoise(shift=(0, 3))
        found = [detector.step({'one': one.frame(index)}) for index in range(2)]
        kept = leaves(detector.memory('one'))
        before = [tensor.clone() for tensor in kept]
        found += [detector.step({'other': other.frame(index)}) for index in range(4)]
        for now, then in zip(kept, before, strict=True):
            assert torch.equal(now.cpu(), then.cpu())
        return found + [detector.step({'one': one.frame(index)}) for index in range(2, 5)]

    assert_alike(*both(steps))


@FAMILIES
def test_surprise_and_anticipation_are_those_of_pytorch(gpu, both):
    def steps(detector):
        detector.config = CONFIGS[0]
        for index in range(3):
            detector.step({'a': MovingNoise().frame(index), 'b': MovingNoise(cut=2).frame(index)})
        return [detector.surprise(name) for name in 'ab'], detector.anticipate('a')

    (surprises, ahead), (others, found) = both(steps)
    for one, other in zip(surprises, others):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(other, one, atol=CLOSE)
    assert_found(ahead, found)
    assert_found(found, ahead)


def small_and_large(detector):
    """Step streams of images of two shapes, under inputs that are trimmed to these."""
    detector.config = CONFIGS[0]
    clips = {'wide': MovingNoise(size=(48, 96)), 'tall': MovingNoise(size=(96, 64))}
    return [
        detector.step({name: clip.frame(index) for name, clip in clips.items()})
        for index in range(5)
    ]


def test_inputs_of_several_sizes_have_graphs_of_their_own(gpu, tmp_path):
    weights, settings = save('yolox', tmp_path), {'resize': 'trim', 'input_size': (96, 96)}

    def steps(detector):
        before = len(detector.network.graphs)
        found = small_and_large(detector)
        assert len(detector.network.graphs) > before
        return found

    assert_alike(
        on_cpu(weights, small_and_large, **settings), on_gpu(weights, steps, **settings))


def test_nothing_is_captured_beside_frames(gpu, tmp_path, caplog):
    def steps(detector):
        detector.prepare(1, beside=True)
        before = len(detector.network.graphs)
        small_and_large(detector)
        assert len(detector.network.graphs) == before
        detector.close()

    with caplog.at_level(logging.WARNING):
        on_gpu(save('yolox', tmp_path), steps, resize='trim', input_size=(96, 96))
    assert 'inputs of 96x64 came after everything was captured' in caplog.text


@pytest.mark.parametrize('resize', ['letterbox', 'corner', 'trim', 'stretch'])
@pytest.mark.parametrize('size', [(480, 640), (97, 131), (40, 30), SIZE])
def test_images_are_laid_as_on_the_cpu_but_for_rounding(gpu, size, resize):
    """Whatever memory they come in: such as read-only, and with columns back to front."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image.flags.writeable = False
    frame = Frame(0, lambda: image[:, ::-1])

    class Given:
        fill = 99

        def read(self, images):
            self.images = images

    network = Given()
    reader = GpuReader(network, GPU if gpu else torch.device('cuda'), SIZE, resize)
    loaded = reader.load(frame)
    reader.read([loaded, loaded])
    assert network.images.device.type == 'cuda' and network.images.dtype is torch.uint8
    assert network.images.shape == (2, 3, *loaded.geometry.input_size)
    wanted = lay_image(loaded.image, loaded.geometry, network.fill).astype(int)
    for one in network.images.cpu().permute(0, 2, 3, 1).numpy():
        assert np.abs(one - wanted).max() <= 2
        assert np.abs(one - wanted).mean() < 0.3


@pytest.mark.parametrize(('name', 'asks', 'most'), [
    ('yolox', True, 2), ('yolox', False, 1), ('peek', True, 2), ('peek', False, 1),
])
def test_a_step_waits_for_the_decision_and_for_the_answer(gpu, tmp_path, name, asks, most):
    if gpu is None:
        pytest.skip('waits are counted on the pretended GPU')

    def steps(detector):
        detector = detector.variant(judges_all=asks)
        detector.config = StreamConfig(policy=Policy.ALTERNATE, read_every=2)
        actions, waits = set(), []
        for index in range(4):
            gpu.waits = 0
            result = detector.step({'a': MovingNoise().frame(index)})['a']
            actions.add(result.decision.action)
            waits.append(gpu.waits)
        assert actions == set(Action)
        assert max(waits) == most

    on_gpu(save(name, tmp_path), steps)


@pytest.mark.parametrize('device', ['pretended', REAL])
@torch.no_grad()
def test_half_precision_is_close_and_its_results_are_single(device, monkeypatch):
    device = torch.device('cuda' if device == 'real' else 'cpu')
    if device == CPU:
        fake_graphs.install(monkeypatch)
    for kind, made in (
            (GraphedYolox, make_yolox(correction=8)), (GraphedSSDLite, make_ssdlite(peek=4))):
        network, images = fuse_norms(made).to(device), pictures(1).byte()
        graphed = kind(network, Graphs(device), half=True)
        graphed.prepare(SIZE)
        found, wanted = graphed.read(images), network.read(images.to(device))
        for one, other in zip(leaves(found), leaves(wanted), strict=True):
            assert one.dtype is torch.float32
            # Random layers, one after the other, amplify rounding.
            assert (one - other).norm() <= 0.15 * other.norm()
        # It is no single precision that only calls itself half.
        assert not torch.equal(leaves(found)[0], leaves(wanted)[0])


def test_every_kind_of_step_was_captured(monkeypatch):
    fake_graphs.install(monkeypatch)
    for kind, network, parts in (
            (GraphedYolox, make_yolox(correction=8), 4),
            (GraphedSSDLite, make_ssdlite(peek=4), 6),
            (GraphedSSDLite, make_ssdlite(), 4)):
        graphs = Graphs(CPU)
        kind(fuse_norms(network), graphs).prepare(SIZE, [1, 2])
        assert len(graphs) == 2 * parts


def test_a_capture_that_fails_leaves_pytorch_and_says_so(monkeypatch):
    fake_graphs.install(monkeypatch)

    def fails(*_, **__):
        raise RuntimeError('CUDA error: out of memory\nCUDA kernel errors might be')

    monkeypatch.setattr(torch.cuda, 'graph', fails)
    monkeypatch.delenv('FORECAST_DETECTOR_BACKEND', raising=False)
    with PretendGPU():
        network = fuse_norms(make_yolox()).to(GPU)
        found = connect(network, 'auto', GPU, [SIZE])
        assert found.network is network and not found.graphed
        assert found.note == (
            'steps run in PyTorch: CUDA graphs failed (RuntimeError: CUDA error: out of memory)')
        with pytest.raises(ValueError, match="backend: 'cuda_graphs' was asked: CUDA graphs fail"):
            connect(network, 'cuda_graphs', GPU, [SIZE])


def test_a_batch_that_is_not_captured_is_named_and_runs_in_parts(monkeypatch, tmp_path, caplog):
    def steps(detector):
        whole = torch.cuda.graph
        with monkeypatch.context() as patch:
            patch.setattr(torch.cuda, 'graph', fails)
            detector.prepare(2)
        assert torch.cuda.graph is whole
        return answers(detector, CONFIGS[0], streams=2, length=4)

    def fails(*_, **__):
        raise RuntimeError('CUDA error: out of memory\nCUDA kernel errors might be')

    weights = save('yolox', tmp_path)
    expected = on_cpu(weights, lambda detector: answers(detector, CONFIGS[0], streams=2, length=4))
    fake_graphs.install(monkeypatch)
    monkeypatch.setattr(machinery, 'select_device', lambda name: (GPU, 'pretended'))
    with caplog.at_level(logging.WARNING), PretendGPU():
        assert_alike(expected, on_gpu(weights, steps))
    assert 'inputs of 64x96 are not compiled for 2 a step' in caplog.text
    assert caplog.text.rstrip().endswith('RuntimeError: CUDA error: out of memory')


def test_auto_takes_graphs_on_a_gpu(monkeypatch):
    monkeypatch.delenv('FORECAST_DETECTOR_BACKEND', raising=False)
    fake_graphs.install(monkeypatch)
    with PretendGPU():
        found = connect(fuse_norms(make_yolox()).to(GPU), 'auto', GPU, [SIZE])
    assert (found.name, found.note) == ('cuda_graphs', 'steps run in CUDA graphs')


@pytest.mark.parametrize('name', ['cuda_graphs', 'cuda_graphs_half'])
def test_a_cpu_has_no_graphs(name):
    wanted = f"backend: '{name}' was asked: the network is on cpu, .*device: cuda.*use 'auto'"
    with pytest.raises(ValueError, match=wanted):
        connect(fuse_norms(make_yolox()), name, CPU, [SIZE])
