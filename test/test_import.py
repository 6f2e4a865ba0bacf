"""Foreign YOLOX files become weights that say the same, or are refused by name."""

import numpy as np
import pytest
import torch
from yolox_samples import make_yolox, outputs, pictures, published, STEM

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.main import main
from forecast_detector.importing import import_yolox
from forecast_detector.importing.labels import choose_labels, COCO
from forecast_detector.model.yolox.config import YoloxConfig
from forecast_detector.model.yolox.network import YoloxNetwork
from forecast_detector.types import WeightsError

NAMES = 'cat,dog'
SHAPES = {'nano': {}, 'tiny': {'depthwise': False},
          'deeper': {'depth': 0.67, 'width': 0.1875, 'depthwise': False},
          'deepest, separable': {'depth': 1.33}}


def check_same(imported, original, tolerance=1e-4):
    images = pictures()
    expected = outputs(original, images)
    assert expected.std() > 0.05
    torch.testing.assert_close(
        outputs(imported, images), expected, atol=tolerance, rtol=tolerance)


@pytest.fixture(scope='module')
def network():
    return make_yolox()


@pytest.fixture
def save(tmp_path):
    def write(content, name='weights.pth'):
        torch.save(content, tmp_path / name)
        return tmp_path / name
    return write


@pytest.mark.parametrize('shape', SHAPES.values(), ids=SHAPES)
def test_a_checkpoint_says_the_same_as_weights_of_ours(shape, save):
    original = make_yolox(**shape)
    imported = import_yolox(save({'model': published(original)}), NAMES)
    check_same(imported.network, original, 1e-6)
    config = imported.network.config
    assert (config.depth, config.width, config.depthwise) == (
        original.config.depth, original.config.width, original.config.depthwise)
    assert config.labels == ('cat', 'dog')


def test_blue_comes_first_in_published_weights(network, save):
    state = published(network)
    state[STEM].zero_()
    state[STEM].view(-1, 4, 3, 3, 3)[:, :, 0] = 1.0
    imported = import_yolox(save(state), NAMES).network
    black, red, blue = (torch.zeros(1, 3, 64, 64) for _ in range(3))
    red[:, 0], blue[:, 2] = 255, 255
    assert torch.equal(outputs(imported, red), outputs(imported, black))
    assert not torch.allclose(outputs(imported, blue), outputs(imported, black))


@pytest.mark.parametrize('wrap', [
    lambda state, other: state,
    lambda state, other: {'model': state, 'start_epoch': 300, 'optimizer': {'state': {}}},
    lambda state, other: {'model': other, 'ema_model': state},
    lambda state, other: {'ema': {'module': state}, 'model': other},
    lambda state, other: {'state_dict': {f'module.{k}': v for k, v in state.items()}},
    lambda state, other: {'model': state, 'best_ap': np.float64(0.4), 'curr_ap': np.float32(0)},
], ids=['bare', 'official', 'ema_model', 'ema', 'parallel', 'scores of NumPy'])
def test_checkpoints_of_many_forms_are_read(wrap, network, save):
    other = {name: value + 1 for name, value in published(network).items()}
    imported = import_yolox(save(wrap(published(network), other)), NAMES)
    check_same(imported.network, network, 1e-6)


def test_a_checkpoint_in_the_old_format_with_folded_norms(network, tmp_path):
    state = published(network)
    for name in [name for name in state if name.endswith('.conv.weight')]:
        layer = name.removesuffix('conv.weight')
        weight, bias, mean, var = (
            state.pop(f'{layer}bn.{key}') for key in ('weight', 'bias', 'running_mean',
                                                      'running_var'))
        del state[f'{layer}bn.num_batches_tracked']
        scale = weight / (var + 1e-3).sqrt()
        state[name] = state[name] * scale[:, None, None, None]
        state[f'{layer}conv.bias'] = bias - mean * scale
    path = tmp_path / 'old.pth'
    torch.save({'model': state}, path, _use_new_zipfile_serialization=False)
    check_same(import_yolox(path, NAMES).network, network)


class Runs:
    """Pickled, it says what to call when it is loaded."""

    def __reduce__(self):
        return print, ('code of the file runs',)


def test_pickled_code_is_refused_and_does_not_run(network, save, capsys):
    path = save({'model': published(network), 'extra': Runs()})
    with pytest.raises(WeightsError, match=r'pickled objects \(.*print\).*state_dict\(\)'):
        import_yolox(path, NAMES)
    assert 'runs' not in capsys.readouterr().out


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


LAST = 'head.obj_preds.2.bias'
TOWER = 'head.cls_convs.1.0.pconv.conv.weight'


@pytest.mark.parametrize(('change', 'message'), [
    (lambda s: without(s, LAST), rf'{LAST}, \(1,\), is missing'),
    (lambda s: {**s, TOWER: s[TOWER][:, :-1]}, rf'{TOWER} is \(32, 31, 1, 1\), .*\(32, 32, 1, 1'),
    (lambda s: {**s, 'head.extra.weight': s[LAST]}, r'head\.extra\.weight is not known'),
    (lambda s: {**s, LAST: s[LAST] * float('nan')}, rf'{LAST} holds NaN'),
    (lambda s: {**s, STEM: s[STEM][:, :3]}, r'stem.* is \(8, 3, 3, 3\).*12'),
    (lambda s: {**s, 'head.cls_preds.0.weight': torch.tensor(0.0)}, r'cls_preds.* is \(\), YOLOX'),
    (lambda s: {**s, STEM.replace('weight', 'bias'): s[LAST]},
     r'stem\.conv\.conv\.bias is not known'),
    (lambda s: {'backbone.body.conv1.weight': torch.zeros(64, 3, 7, 7)},
     r"no 'backbone\.backbone\.stem.*first tensor is 'backbone\.body\.conv1\.weight', \(64, 3"),
    (lambda s: {'backbone.backbone.stem.0.conv.weight': s[STEM],
                'head.cls_preds.0.weight': s['head.cls_preds.0.weight']}, 'Darknet-53'),
    (lambda s: {}, r'holds a dict with \[\] and no weights'),
    (lambda s: {'epoch': 3, 'names': ['a']}, r"a dict with \['epoch', 'names'\] and no weights"),
    (lambda s: [1, 2], 'holds a list and no weights'),
])
def test_weights_that_do_not_fit_are_named(change, message, network, save):
    path = save(change(published(network)))
    with pytest.raises(WeightsError, match=message) as caught:
        import_yolox(path, NAMES)
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)


def test_files_that_hold_no_weights_are_named(network, save, tmp_path):
    whole = save(published(network)).read_bytes()
    for name, content in (
        ('cut.pth', whole[:len(whole) // 2]), ('text.pth', b'not weights\n'), ('empty.pth', b''),
        ('text.onnx', b'not weights\n'), ('pickle.pth', b'\x80\x02}q'),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=rf'{name}: .*(truncated|damaged|expected is)'):
            import_yolox(tmp_path / name, NAMES)
    with pytest.raises(WeightsError, match='a folder; expected'):
        import_yolox(tmp_path, NAMES)
    with pytest.raises(WeightsError, match='no such file'):
        import_yolox(tmp_path / 'none.onnx', NAMES)


def test_labels_are_those_of_coco_or_have_to_be_given(tmp_path):
    assert len(set(COCO)) == 80 and (COCO[0], COCO[-1]) == ('person', 'toothbrush')
    assert choose_labels(80, None) == COCO
    names = tmp_path / 'names.txt'
    names.write_text('\ufeffcat\r\n hot dog \n\n', encoding='utf-8')
    assert choose_labels(2, str(names)) == ('cat', 'hot dog')
    assert choose_labels(2, 'cat, hot dog') == ('cat', 'hot dog')
    assert choose_labels(1, 'cat') == ('cat',)
    names.write_bytes(b'\xff\xfe\x00')
    for classes, named, message in (
        (2, None, '2 classes, and no names.*--labels'), (3, 'cat,dog', '2 names.*know 3 classes'),
        (2, 'cat,cat', "'cat'.*twice"), (1, 'cats.txt', "no file 'cats.txt'"),
        (2, str(names), 'UTF-8'), (1, str(tmp_path), 'no file'), (80, 'cat', '1 names'),
    ):
        with pytest.raises(ValueError, match=message):
            choose_labels(classes, named)


@pytest.mark.parametrize(('width', 'size'), [(0.25, (416, 416)), (0.5, (640, 640))])
def test_the_input_is_as_large_as_published_ones(width, size, save):
    network = YoloxNetwork(YoloxConfig(('cat', 'dog'), width=width))
    imported = import_yolox(save(published(network)), NAMES).network
    assert imported.config.input_size == size
    assert import_yolox(save(published(network)), NAMES, (96, 64)).network.config.input_size == (
        96, 64)


def test_the_command_writes_weights_that_say_where_they_come_from(
    network, save, tmp_path, capsys
):
    source = save({'model': published(network), 'start_epoch': 7})
    out = tmp_path / 'new' / 'mine'
    words = ['import', str(source), '--out', str(out), '--labels', NAMES, '--input-size', '64',
             '96', '--licence', 'mine', '--info', 'data=cats and dogs']
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert '2 classes' in printed and '64x96' in printed and 'detect' in printed
    checkpoint = load_checkpoint(out.with_suffix('.safetensors'))
    check_same(checkpoint.network, network, 1e-6)
    assert checkpoint.config.input_size == (64, 96)
    info = checkpoint.info
    assert (info['licence'], info['data']) == ('mine', 'cats and dogs')
    assert (info['source'], info['source_start_epoch']) == ('weights.pth', '7')
    assert len(info['source_sha256']) == 64


@pytest.mark.parametrize(('words', 'message'), [
    (['--out', 'x.pth'], 'weights are .safetensors files'),
    (['--out', 'x', '--info', 'source=me'], 'source: the file itself says so'),
    (['--out', 'x', '--labels', 'cat'], '1 names'),
    (['--out', 'x'], 'no names for them'),
])
def test_the_command_writes_nothing_unless_all_fits(
    words, message, network, save, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    source = save(published(network))
    labels = [] if message.startswith(('1 names', 'no names')) else ['--labels', NAMES]
    assert main(['import', str(source), *words, *labels]) != 0
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
    assert list(tmp_path.iterdir()) == [source]


def test_weights_of_ours_are_used_as_they_are(tiny_weights, tmp_path, capsys):
    """Whatever the file is called."""
    (tmp_path / 'renamed.onnx').write_bytes(tiny_weights.read_bytes())
    for source in (tiny_weights, tmp_path / 'renamed.onnx'):
        assert main(['import', str(source), '--out', str(tmp_path / 'x')]) == 1
        error = capsys.readouterr().err
        assert 'already weights of this package' in error and error.count('\n') == 1
        assert f'detect VIDEO --weights {source}' in error
    assert not (tmp_path / 'x.safetensors').exists()
