"""Nothing is left on the CPU that a GPU needs: the same results on a pretended GPU."""

import json

from backend_samples import make_ssdlite
from conftest import make_tiny_network
import fake_graphs
import numpy as np
from pretend_gpu import GPU, PretendGPU
import pytest
import torch
from training_samples import run_phase, tiny_config

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.cli.main import main
from forecast_detector.config import StreamConfig
from forecast_detector.data.convert import write_coco_vid
from forecast_detector.data.synthetic import load_synthetic
from forecast_detector.engine import machinery, StreamingDetector
from forecast_detector.types import Action, Frame

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def world():
    return load_synthetic('train', clips=2, length=12, size=(96, 64))


def test_the_pretended_gpu_tells_tensors_of_two_devices():
    with PretendGPU() as gpu:
        there, here = torch.ones(3).to(GPU), torch.ones(3)
        assert (there.device, here.device) == (GPU, CPU)
        assert gpu.holds(there * 2 + torch.tensor(1.0))
        assert not gpu.holds(there.cpu())
        assert gpu.holds(torch.zeros(2, device=there.device))
        for mixed in (lambda: there + here, lambda: torch.cat([here, there])):
            with pytest.raises(AssertionError, match='tensors of two devices'):
                mixed()
        with pytest.raises(AssertionError, match='numpy'):
            there.numpy()


def frames(count):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (64, 96 + 2 * count, 3), np.uint8)
    return [
        Frame.from_array(np.ascontiguousarray(noise[:, 2 * i:2 * i + 96]), i * 10**8)
        for i in range(count)
    ]


def run_stream(weights, p):
    detector = StreamingDetector(load_checkpoint(weights), StreamConfig(p=p, score_threshold=0.05))
    return [detector.step({'a': frame, 'b': frame}) for frame in frames(6)]


@pytest.mark.parametrize('peek', [0, 4])
@pytest.mark.parametrize('fine', [{}, {'fine_channels': 8, 'extra_channels': (16, 16, 16)}])
def test_a_stream_runs_on_a_gpu_as_on_the_cpu(tmp_path, monkeypatch, peek, fine):
    weights = tmp_path / 'w.safetensors'
    save_checkpoint(weights, make_tiny_network(peek=peek, **fine))
    expected = run_stream(weights, p=0.3)
    monkeypatch.setattr(machinery, 'select_device', lambda name: (GPU, 'pretended'))
    with PretendGPU():
        found = run_stream(weights, p=0.3)
    assert {step['a'].decision.action for step in found} == {Action.READ, Action.FORECAST}
    for one, two in zip(expected, found):
        for name in ('a', 'b'):
            assert one[name].decision.action == two[name].decision.action
            assert np.array_equal(one[name].detections.boxes, two[name].detections.boxes)
            assert len(one[name].detections) > 0


@pytest.mark.parametrize('name', ['detector', 'baseline', 'joint', 'temporal', 'scheduler'])
def test_a_phase_trains_on_a_gpu_as_on_the_cpu(name, world, tmp_path):
    changes = {'peek': 4} if name in ('detector', 'temporal', 'scheduler') else {}
    config = tiny_config(world.labels)
    expected = run_phase(
        name, world, config, tmp_path / 'cpu.pt',
        network=make_tiny_network(labels=world.labels, **changes),
    )
    with PretendGPU():
        trained = run_phase(
            name, world, config, tmp_path / 'gpu.pt', device=GPU,
            network=make_tiny_network(labels=world.labels, **changes),
        )
        weights = trained.state_dict()
    for key, value in expected.state_dict().items():
        assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize('command', [
    ['sweep'],
    ['diagnose', '--p', '0.5'],
    ['evaluate', '--policy', 'scheduler', '--p', '0.5', '--sap', '--latency', '60,12',
     '--anticipate'],
    ['evaluate', '--policy', 'oracle', '--read-every', '2'],
    ['evaluate', '--policy', 'copy', '--read-every', '2'],
])
def test_a_command_measures_on_a_gpu_as_on_the_cpu(command, world, tmp_path, monkeypatch):
    weights = tmp_path / 'w.safetensors'
    save_checkpoint(weights, make_tiny_network(labels=world.labels, peek=4))
    write_coco_vid(world, tmp_path / 'data', 'val')
    values = []

    def run(name):
        json_file = tmp_path / f'{name}.json'
        assert main([
            *command, '--weights', str(weights), '--dataset', 'coco_vid', '--root',
            str(tmp_path / 'data'), '--json', str(json_file),
        ]) == 0
        values.append(json.loads(json_file.read_text()))

    run('cpu')
    monkeypatch.setattr(machinery, 'select_device', lambda name: (GPU, 'pretended'))
    with PretendGPU():
        run('gpu')
    assert values[1].pop('provenance')['device'] == 'cuda:0'
    assert_alike(*values)


def test_an_evaluation_in_graphs_is_that_of_pytorch(world, tmp_path, monkeypatch):
    weights, values = tmp_path / 'w.safetensors', []
    save_checkpoint(weights, make_ssdlite(labels=world.labels, peek=4))
    write_coco_vid(world, tmp_path / 'data', 'val')

    def run(backend):
        json_file = tmp_path / f'{backend}.json'
        assert main([
            'evaluate', '--policy', 'scheduler', '--p', '0.5', '--sap', '--latency', '60,12',
            '--anticipate', '--weights', str(weights), '--dataset', 'coco_vid', '--root',
            str(tmp_path / 'data'), '--json', str(json_file), '--backend', backend,
        ]) == 0
        values.append(json.loads(json_file.read_text()))

    run('torch')
    monkeypatch.setattr(machinery, 'select_device', lambda name: (GPU, 'pretended'))
    captured = fake_graphs.install(monkeypatch)
    with PretendGPU():
        run('cuda_graphs')
    # Each is replayed once as it is captured.
    assert sum(graph.replays for graph in captured) > 2 * len(captured) > 0
    assert_alike(*values)


def assert_alike(one, two, where=''):
    """Equal but for measured times and the last digits: batches differ in size."""
    if isinstance(one, dict):
        for key in one.keys() - {'provenance'}:
            if not set(key.split('_')) & {'ms', 's', 'seconds'}:
                assert_alike(one[key], two[key], f'{where}.{key}')
    elif isinstance(one, list):
        for index, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_alike(a, b, f'{where}[{index}]')
    elif isinstance(one, float):
        assert two == pytest.approx(one, rel=1e-3), where
    else:
        assert two == one, where
