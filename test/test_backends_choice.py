"""Which backend runs a network, what it says of that, and what it keeps between runs."""

import subprocess
import sys

from backend_samples import make_ssdlite
from conftest import make_tiny_network
import numpy as np
import pytest
import torch
from torch import nn
import torch.nn.functional as F
from yolox_samples import make_yolox, pictures

from forecast_detector.backends import cache, choice
from forecast_detector.backends.choice import connect
from forecast_detector.backends.grid import Layer, PRODUCT
from forecast_detector.backends.moving import moved, sampler
from forecast_detector.backends.phase import shifts
from forecast_detector.model.fuse import fuse_norms
from forecast_detector.model.motion import phase_correlation
from forecast_detector.model.yolox.motion import lay_grids, move
from forecast_detector.model.yolox.preview import coarser

openvino = pytest.importorskip('openvino')
from forecast_detector.backends import library  # noqa: E402

CPU, SIZE = torch.device('cpu'), (64, 96)


@pytest.fixture
def network():
    return fuse_norms(make_yolox())


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    return tmp_path / 'forecast_detector'


@pytest.fixture
def exported(monkeypatch):
    """Take down the exports that are made."""
    made, export = [], library.export
    monkeypatch.setattr(library, 'export', lambda part: (made.append(part), export(part))[1])
    return made


def test_a_cpu_gets_openvino_and_says_so(network):
    connected = connect(network, 'auto', CPU, [SIZE])
    assert connected.name == 'openvino'
    assert openvino.__version__.split('-')[0] in connected.note


def test_where_it_is_missing_pytorch_runs_and_says_why(network, monkeypatch):
    monkeypatch.setattr(choice, 'find_spec', lambda name: None)
    name, note = connect(network, 'auto', CPU, [SIZE])[1:3]
    assert name == 'torch' and 'pip install openvino' in note
    with pytest.raises(ValueError, match='not installed'):
        connect(network, 'openvino', CPU, [SIZE])


def test_openvino_is_for_cpus_and_known_networks(network):
    foreign = torch.nn.Identity()
    assert connect(foreign, 'auto', CPU, [SIZE]).network is foreign
    for given, device in ((network, torch.device('cuda', 0)), (foreign, CPU)):
        with pytest.raises(ValueError, match="backend: 'openvino' was asked: .*use 'auto'"):
            connect(given, 'openvino', device, [SIZE])


@pytest.mark.parametrize('able, hint', [
    (['FP32', 'FP16', 'BF16'], 'bf16'), (['FP32', 'FP16'], 'f16')])
@pytest.mark.parametrize('make, single', [
    (make_yolox, {'judge', 'change'}), (make_tiny_network, {'schedule'})])
def test_half_precision_is_that_of_the_processor_and_not_the_schedulers(
        make, single, able, hint, monkeypatch):
    runtime = library.RUNTIME

    class Runtime:
        def get_property(self, device, name):
            return able if name == 'OPTIMIZATION_CAPABILITIES' else 'some processor'

        def compile_model(self, model, device, settings):
            name, = (part for part in made if made[part] is None)
            made[name] = settings['INFERENCE_PRECISION_HINT']
            return runtime.compile_model(
                model, device, {**settings, 'INFERENCE_PRECISION_HINT': 'f32'})

        def __getattr__(self, name):
            return getattr(runtime, name)

    made, compile_part = {}, library.Library._compile
    monkeypatch.setattr(library, 'RUNTIME', Runtime())
    monkeypatch.setattr(library.Library, '_compile', lambda self, key, batch: (
        made.update({key.part: None}), compile_part(self, key, batch))[1])
    connected = connect(fuse_norms(make()), 'openvino_half', CPU, [SIZE])
    assert connected.name == 'openvino_half' and connected.note.endswith(f'in {hint}')
    assert made.pop('read') == hint
    assert single & set(made)
    assert {name for name, given in made.items() if given == 'f32'} >= single & set(made)
    assert set(made.values()) <= {'f32', hint}


def test_half_precision_is_refused_where_the_processor_has_none(network, monkeypatch):
    class Runtime:
        def get_property(self, device, name):
            return ['FP32', 'INT8']

    monkeypatch.setattr(library, 'RUNTIME', Runtime())
    with pytest.raises(ValueError, match="'openvino_half' was asked: .*no fast half precision"):
        connect(network, 'openvino_half', CPU, [SIZE])


def test_a_runtime_that_fails_at_what_the_processor_can_is_named(network, monkeypatch):
    class Runtime:
        def get_property(self, device, name):
            raise RuntimeError('no plugin')

    monkeypatch.setattr(library, 'RUNTIME', Runtime())
    with pytest.raises(ValueError, match=r'half precision failed \(RuntimeError: no plugin\)'):
        connect(network, 'openvino_half', CPU, [SIZE])


def test_a_part_refuses_what_it_was_not_compiled_for(network):
    compiled = connect(network, 'openvino', CPU, [SIZE]).network
    key, = (key for key in compiled.library._compiled if key.part == 'judge')
    inputs = [np.zeros((1, *shape), np.uint8 if index in (2, 3) else np.float32)
              for index, shape in enumerate(key.shapes)]
    compiled.library.run('judge', inputs)
    with pytest.raises(ValueError, match='float64 of .* came, float32 of .* was compiled for'):
        compiled.library.run('judge', [*inputs[:4], inputs[4].astype(np.float64)])
    with pytest.raises(KeyError, match='judge'):
        compiled.library.run('judge', [*inputs[:4], inputs[4][..., :0]])


def test_signals_are_handled_after_detectors_were_dropped(tiny_weights):
    # OpenVINO's runtimes, one a detector, took the stack for signals with them.
    code = """
import gc, os, signal, sys
from forecast_detector import load_checkpoint, StreamingDetector
signal.signal(signal.SIGTERM, lambda *_: print('handled', flush=True))
checkpoint = load_checkpoint(sys.argv[1])
detectors = [StreamingDetector(checkpoint, backend='openvino') for _ in range(2)]
while detectors:
    del detectors[0]
    gc.collect()
os.kill(os.getpid(), signal.SIGTERM)
"""
    ended = subprocess.run(
        [sys.executable, '-c', code, str(tiny_weights)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, 'handled\n', '')


def test_a_runtime_that_fails_is_named_and_left(network, monkeypatch):
    def fails(*_):
        raise RuntimeError('illegal instruction')

    monkeypatch.setattr(choice, '_with_openvino', fails)
    connected = connect(network, 'auto', CPU, [SIZE])
    assert connected.network is network
    assert 'OpenVINO failed (RuntimeError: illegal instruction)' in connected.note


def test_the_environment_says_what_auto_means(network, monkeypatch):
    monkeypatch.setenv(choice.VARIABLE, 'torch')
    assert connect(network, 'auto', CPU, [SIZE]).name == 'torch'
    monkeypatch.setenv(choice.VARIABLE, 'abacus')
    with pytest.raises(ValueError, match=f"^{choice.VARIABLE}: 'abacus' is none of auto, torch,"):
        connect(network, 'auto', CPU, [SIZE])
    monkeypatch.setenv(choice.VARIABLE, 'cuda_graphs')
    with pytest.raises(ValueError, match=f"^{choice.VARIABLE}: 'cuda_graphs' was asked: .* cpu,"):
        connect(network, 'auto', CPU, [SIZE])
    with pytest.raises(ValueError, match="^backend: 'abacus' is none of auto, torch,"):
        connect(network, 'abacus', CPU, [SIZE])


def test_an_export_is_kept_and_a_broken_one_made_anew(network, folder, exported):
    assert not connect(network, 'openvino', CPU, [SIZE]).note.count('anew')
    first = len(exported)
    assert first
    connect(network, 'openvino', CPU, [SIZE])
    assert len(exported) == first
    for path in folder.glob('*/*'):
        path.write_bytes(path.read_bytes()[:1000])
    connect(network, 'openvino', CPU, [SIZE])
    assert len(exported) == 2 * first
    assert not list(folder.glob('*/.writing-*'))


def test_other_weights_are_another_export():
    networks = fuse_norms(make_yolox()), fuse_norms(make_yolox())
    with torch.no_grad():
        networks[1].head.obj_preds[0].bias.add_(1e-3)
    assert cache.fingerprint(networks[0], []) == cache.fingerprint(fuse_norms(make_yolox()), [])
    assert cache.fingerprint(networks[0], []) != cache.fingerprint(networks[1], [])
    assert cache.fingerprint(networks[0], ['1']) != cache.fingerprint(networks[0], ['2'])


def ssdlite(**changes):
    # Encoders of fewer channels have the same layers whether they add what comes in or not.
    return fuse_norms(make_ssdlite(lstm_channels=8, **changes))


def outputs(network):
    """Give what the parts make that depend on the configuration."""
    with torch.inference_mode():
        features = network.read(pictures(1, SIZE).byte())
        if isinstance(features, torch.Tensor):
            return network.encode(features, network.zero_state(features))[0]
        preview = network.preview(pictures(1, (16, 24)).byte())
        moving, surprise = network.correct(features, preview, preview)
        return network.schedule(moving, features, surprise)


@pytest.mark.parametrize('make, one, other', [
    (ssdlite, {'residual': True}, {'residual': False}),
    (lambda **changes: fuse_norms(make_yolox(**changes)), {'trust': 0.5}, {'trust': 0.9}),
])
def test_another_configuration_of_equal_weights_is_another_export(make, one, other):
    first, second = make(**one), make(**other)
    second.load_state_dict(first.state_dict())
    assert cache.fingerprint(first, []) != cache.fingerprint(second, [])
    found = []
    for network in (first, second):
        found.append(outputs(connect(network, 'openvino', CPU, [SIZE]).network))
        torch.testing.assert_close(found[-1], outputs(network), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(*found, atol=1e-2)


def test_weights_of_another_shape_or_type_are_another_export(network):
    before = cache.fingerprint(network, [])
    bias = network.head.obj_preds[0].bias
    bias.data = bias.data[None]
    shaped = cache.fingerprint(network, [])
    bias.data = bias.data[0].view(torch.int32)
    assert len({before, shaped, cache.fingerprint(network, [])}) == 3


def test_without_a_home_only_the_cache_is_lost(network, exported, monkeypatch):
    def homeless():
        raise RuntimeError('Could not determine home directory.')

    for name in ('HOME', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cache.Path, 'home', homeless)
    assert cache.cache_folder() is None
    for _ in range(2):
        connected = connect(network, 'auto', CPU, [SIZE])
        assert connected.name == 'openvino'
        assert 'no home folder is known' in connected.note
        assert 'XDG_CACHE_HOME' in connected.note
    assert exported


def test_where_nothing_can_be_kept_it_says_so(network, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('in the way')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    connected = connect(network, 'openvino', CPU, [SIZE])
    assert connected.name == 'openvino'
    assert 'exported anew at every start' in connected.note and 'XDG_CACHE_HOME' in connected.note


def test_only_the_exports_used_last_are_kept(folder):
    for number in range(3):
        cache.store(folder / f'openvino-{number}' / 'read.xml', b'')
    cache.prune(folder, kept=2)
    assert len(list(folder.iterdir())) == 2


@torch.inference_mode()
def test_sizes_that_were_not_prepared_run_in_pytorch(network):
    compiled = connect(network, 'openvino', CPU, [SIZE]).network
    images = pictures(2, (96, 64)).byte()
    assert not compiled.library.has('read', [np.zeros((2, 96, 64, 3), np.uint8)])
    eager = compiled.read(images)
    compiled.prepare((96, 64))
    assert compiled.library.has('read', [np.zeros((2, 96, 64, 3), np.uint8)])
    prepared = compiled.read(images)
    for one, other in zip(eager.maps, prepared.maps, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_maps_move_as_in_pytorch():
    generator = np.random.default_rng(0)
    flow = generator.normal(0, 6, (2, 32, 64, 2)).astype(np.float32)
    tensor = torch.from_numpy(flow).permute(0, 3, 1, 2)
    grids = lay_grids(tensor, (4, 8, 32))
    for motion, grid in zip(coarser(flow, (4, 8, 32)), grids, strict=True):
        maps = generator.random((*motion.shape[:3], 5), np.float32)
        wanted = move(torch.from_numpy(maps).permute(0, 3, 1, 2), grid).permute(0, 2, 3, 1)
        np.testing.assert_allclose(moved(maps, sampler(motion)), wanted, atol=1e-4)


def test_shifts_are_those_of_pytorch():
    ground = F.interpolate(
        torch.randn(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)), scale_factor=4,
        mode='bicubic')[0, 0]
    before = torch.zeros(3, 80, 80)
    now = torch.zeros(3, 80, 80)
    before[:, 10:70] = ground[20:80, 20:100]
    now[0, 10:70], now[1, 10:70] = ground[17:77, 25:105], ground[40:100, 60:140].flip(0, 1)
    wanted = phase_correlation(before, now)
    assert wanted[0].abs().min() > 0.02
    np.testing.assert_allclose(shifts(before.numpy(), now.numpy()), wanted, atol=1e-4)


def test_the_paper_has_no_thumbnail():
    compiled = connect(fuse_norms(make_tiny_network()), 'openvino', CPU, [SIZE]).network
    assert compiled.reduction == 0 and compiled.forecasts


@pytest.mark.parametrize('cells', [0, 1, 51, 52, 400])
def test_classes_of_cells_are_those_of_the_layer_and_never_a_large_product(cells, monkeypatch):
    """From some size on products of matrices take threads, which spin beside other work."""
    layer = nn.Conv2d(64, 80, 1).requires_grad_(False)
    found, sizes = torch.randn(cells, 64), []

    class Watched(np.ndarray):
        def __rmatmul__(self, other):
            sizes.append(len(other) * self.size)
            return other @ self.view(np.ndarray)

    made = Layer.made(layer)
    watched = made._replace(weight=made.weight.view(Watched))
    wanted = layer(found[:, :, None, None])[:, :, 0, 0]
    np.testing.assert_allclose(watched.of(found.numpy()), wanted, atol=1e-5)
    assert sum(sizes) == cells * 80 * 64 and max(sizes, default=0) <= PRODUCT


def test_what_a_part_gives_stays_whether_it_was_copied_or_shared(network):
    """Little is copied to memory of the part's own, much is shared with it."""
    compiled = connect(network, 'openvino', CPU, [SIZE]).network
    kept = [compiled.read(pictures(1, SIZE, seed).byte()) for seed in (0, 1)]
    assert not torch.equal(kept[0].maps[0], kept[1].maps[0])
    for seed, one in enumerate(kept):
        images = pictures(1, SIZE, seed).byte()
        before = images.clone()
        again = compiled.read(images)
        assert torch.equal(images, before)
        for first, second in zip((*one.maps, one.objects), (*again.maps, again.objects)):
            assert torch.equal(first, second)
