"""ONNX files of YOLOX: however they were exported, the weights are found by what they do."""

import re
import sys

import numpy as np
import pytest
import torch
from yolox_samples import make_yolox, outputs, pictures, published, STEM

from forecast_detector.importing import import_yolox
from forecast_detector.types import WeightsError

onnx = pytest.importorskip('onnx')

from onnx import helper, TensorProto  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from yolox_onnx import Export, export  # noqa: E402

NAMES = 'cat,dog'


@pytest.fixture(scope='module')
def network():
    return make_yolox()


def check(path, network, tolerance=1e-4, classes=NAMES):
    images = pictures()
    imported = import_yolox(path, classes)
    torch.testing.assert_close(
        outputs(imported.network, images), outputs(network, images),
        atol=tolerance, rtol=tolerance,
    )
    return imported


@pytest.mark.parametrize('how', [
    {}, {'anonymous': False}, {'folded': False, 'anonymous': False}, {'folded': False},
    {'decoded': True}, {'scattered': True},
], ids=['folded', 'predictions named', 'official names', 'no names', 'decoded', 'constants'])
def test_exports_say_the_same_as_weights_of_ours(how, network, tmp_path):
    imported = check(export(tmp_path / 'yolox.onnx', published(network), **how), network)
    assert imported.network.config.input_size == (64, 96)
    assert imported.info['source_producer'] == 'a test' and not imported.half


@pytest.mark.parametrize('shape', [
    {'depthwise': False}, {'depth': 0.67}, {'depth': 1.33, 'depthwise': False},
    {'labels': ('thing',)}, {'labels': ('a', 'b', 'c', 'd')},
], ids=['tiny', 'deeper', 'deepest', 'one class', 'four classes'])
def test_exports_of_any_size_and_number_of_classes(shape, tmp_path):
    network = make_yolox(**shape)
    imported = check(export(tmp_path / 'yolox.onnx', published(network)), network,
                     classes=','.join(network.config.labels))
    assert imported.network.config.depth == network.config.depth
    assert imported.network.config.labels == network.config.labels


def test_what_an_export_gives_is_what_its_import_gives(network, tmp_path):
    path = export(tmp_path / 'yolox.onnx', published(network), (32, 64))
    images = pictures(1, (32, 64))
    bgr = images.flip(1).numpy()
    given = ReferenceEvaluator(str(path)).run(None, {'images': bgr})[0]
    imported = import_yolox(path, NAMES).network
    np.testing.assert_allclose(outputs(imported, images).numpy(), given, atol=1e-4, rtol=1e-4)


def test_half_precision_stays(network, tmp_path):
    imported = check(
        export(tmp_path / 'half.onnx', published(network), half=True), network, 2e-3)
    assert imported.half


def test_weights_beside_the_file_are_read_and_missed(network, tmp_path):
    path = tmp_path / 'yolox.onnx'
    onnx.save(Export(published(network), (64, 96)).model(), str(path), save_as_external_data=True,
              location='weights.bin', size_threshold=0)
    assert path.stat().st_size < (tmp_path / 'weights.bin').stat().st_size
    check(path, network)
    (tmp_path / 'weights.bin').unlink()
    with pytest.raises(WeightsError, match=r'weights\.bin.*into one folder'):
        import_yolox(path, NAMES)


def test_the_order_of_the_list_does_not_matter(network, tmp_path):
    model = Export(published(network), (64, 96)).model()
    # Towers for boxes first, as far as what they need is there.
    nodes, there, order = list(model.graph.node), {'images', ''}, []
    there |= {one.name for one in model.graph.initializer}
    while nodes:
        ready = [one for one in nodes if set(one.input) <= there]
        chosen = max(ready, key=lambda one: int(one.output[0].removeprefix('out')))
        nodes.remove(chosen)
        order.append(chosen)
        there |= set(chosen.output)
    assert [one.name for one in order] != [one.name for one in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(order)
    onnx.save(model, str(tmp_path / 'other.onnx'))
    check(tmp_path / 'other.onnx', network)


def test_outputs_may_be_other_ones(network, tmp_path):
    model = Export(published(network), (64, 96)).model()
    # What each level gives, coarsest first, and nothing behind it.
    last = [one for one in model.graph.node if one.op_type == 'Reshape']
    given = [one.input[0] for one in reversed(last)]
    del model.graph.node[-2:]
    for one in last:
        model.graph.node.remove(one)
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list('bchw')) for name in given)
    onnx.checker.check_model(model)
    onnx.save(model, str(tmp_path / 'levels.onnx'))
    check(tmp_path / 'levels.onnx', network)


def test_an_input_that_is_left_open_is_as_published(network, tmp_path):
    model = Export(published(network), (64, 96)).model()
    sides = model.graph.input[0].type.tensor_type.shape.dim
    sides[2].dim_param, sides[3].dim_param = 'height', 'width'
    onnx.save(model, str(tmp_path / 'open.onnx'))
    assert check(tmp_path / 'open.onnx', network).network.config.input_size == (416, 416)


def refused(path, **more):
    with pytest.raises(WeightsError) as caught:
        import_yolox(path, NAMES, **more)
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)
    return str(caught.value)


def test_other_networks_are_refused_by_what_they_do(network, tmp_path):
    state = published(network)
    for how, message in (
        ({'activation': 'Relu'}, 'Relu behind it, expected is SiLU behind it'),
        ({'prepared': True}, 'Div.*works on the image itself'),
    ):
        path = export(tmp_path / 'yolox.onnx', state, **how)
        assert re.search(message, refused(path))
    thin = {**state, STEM: state[STEM][:, :3]}
    assert '(8, 3, 3, 3); YOLOX has (channels, 12' in refused(
        export(tmp_path / 'yolox.onnx', thin))


def edited(network, path, edit):
    model = Export(published(network), (64, 96)).model()
    edit(model.graph)
    onnx.save(model, str(path))
    return path


def test_one_wrong_layer_is_named(network, tmp_path):
    path = tmp_path / 'yolox.onnx'

    def stride(graph):
        convolutions = [one for one in graph.node if one.op_type == 'Conv']
        next(one for one in convolutions[7].attribute if one.name == 'strides').ints[:] = [2, 2]

    assert 'stride, padding [2, 2]' in refused(edited(network, path, stride))

    def around(graph):
        joins = [one for one in graph.node if one.op_type == 'Concat']
        joins[3].input[:] = list(reversed(joins[3].input))

    assert ' is (32, 64, 1, 1), expected is (32, 32, ' in refused(edited(network, path, around))

    def beside(graph):
        shortcut = next(one for one in graph.node if one.op_type == 'Add')
        shortcut.input[1] = shortcut.input[0]

    message = refused(edited(network, path, beside))
    assert 'works on other layers than backbone.backbone.dark2.1.conv3.conv' in message

    def quantised(graph):
        graph.node[0].op_type = 'QuantizeLinear'

    assert 'quantised' in refused(edited(network, path, quantised))

    def emptied(graph):
        del graph.initializer[40:]

    assert 'are not in the file' in refused(edited(network, path, emptied))

    def headless(graph):
        del graph.node[-20:]

    assert 'not YOLOX: its last convolutions give' in refused(edited(network, path, headless))


def test_truncated_files_are_refused(network, tmp_path):
    whole = export(tmp_path / 'yolox.onnx', published(network)).read_bytes()
    path = tmp_path / 'cut.onnx'
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[:int(share * len(whole))])
        assert 'truncated' in refused(path)


def test_a_file_without_convolutions_is_refused(tmp_path):
    x, y = (helper.make_tensor_value_info(k, TensorProto.FLOAT, [1]) for k in 'xy')
    graph = helper.make_graph([helper.make_node('Relu', ['x'], ['y'])], 'g', [x], [y])
    onnx.save(helper.make_model(graph), str(tmp_path / 'none.onnx'))
    assert 'no convolution' in refused(tmp_path / 'none.onnx')


def test_without_onnx_its_installation_is_asked_for(network, tmp_path, monkeypatch):
    path = export(tmp_path / 'yolox.onnx', published(network))
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(RuntimeError, match='pip install onnx'):
        import_yolox(path, NAMES)
