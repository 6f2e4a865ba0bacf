"""The convolutions of an exported network, found among those of YOLOX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from ..model.yolox.config import YoloxConfig
from ..types import WeightsError
from .expected import expected_graph
from .graph import Convolution, Graph
from .official import depth_of, FOLDED
from .onnx_file import OnnxNetwork

# At each of three strides: a box, an objectness, classes.
_OUTPUTS = Counter({4: 3, 1: 3})


def named(network: OnnxNetwork) -> dict[str, Tensor]:
    """
    Give the weights of a network the names of published ones.

    Names in the file do not matter, exports lose them: what counts is how large a convolution
    is, what it does, and what it works on.

    :raises WeightsError: names the first convolution that does not fit.
    """
    own = expected_graph(_shape(network.graph))
    ours, theirs = own.connected(), network.graph.connected()
    wrong = _compare(own, ours, network.graph, theirs)
    if wrong:
        raise WeightsError(f'not YOLOX, or a variant that is not supported: {wrong}')
    weights = {}
    for k, number in zip(ours, theirs):
        name = _layer(own, k).name
        # Predictions have no norm, and are no module of several.
        prefix = name.removesuffix('conv') if _has_norm(own, k) else f'{name}.'
        for key, value in network.weights[number].items():
            weights[prefix + (key if _has_norm(own, k) else key.removeprefix('conv.'))] = value
    return weights


def _layer(graph: Graph, number: int) -> Convolution:
    layer = graph.nodes[number].convolution
    assert layer is not None
    return layer


def _has_norm(graph: Graph, number: int) -> bool:
    return '_preds.' not in _layer(graph, number).name


def _shape(graph: Graph) -> YoloxConfig:
    """Guess the shape of a network from its convolutions; whether it is so is seen later."""
    layers = [_layer(graph, k) for k in graph.listed()]
    first = layers[0]
    if first.shape[1:] != (FOLDED, 3, 3):
        raise WeightsError(
            f'not YOLOX: its first convolution, {first.name!r}, is {first.shape}; YOLOX has '
            f'(channels, {FOLDED}, 3, 3), behind a Focus'
        )
    ends = Counter(_layer(graph, k).shape[0] for k in graph.ends())
    classes = list((ends - _OUTPUTS).elements())
    if ends & _OUTPUTS != _OUTPUTS or len(classes) != 3 or len(set(classes)) != 1:
        raise WeightsError(
            f'not YOLOX: its last convolutions give {sorted(ends.elements())} channels; YOLOX '
            'gives 4, 1 and the classes at each of three strides'
        )
    depthwise = len(layers) > 1 and layers[1].shape[1] == 1
    shortest, longer = (
        len(expected_graph(_config(n, first.shape[0], depthwise, 1)).listed()) for n in (1, 2)
    )
    count = max(1, round(1 + (len(layers) - shortest) / (longer - shortest)))
    return _config(count, first.shape[0], depthwise, classes[0])


def _config(count: int, channels: int, depthwise: bool, classes: int) -> YoloxConfig:
    labels = tuple(map(str, range(classes)))
    try:
        return YoloxConfig(labels, depth_of(count), channels / 64, depthwise)
    except ValueError as error:
        raise WeightsError(f'not YOLOX: {error}') from error


def _compare(own: Graph, ours: Sequence[int], other: Graph, theirs: Sequence[int]) -> str:
    """Say what is wrong with the first layer that does not fit; '' if all do."""
    sources = zip(own.sources(ours), other.sources(theirs))
    for k, number, (needed, given) in zip(ours, theirs, sources):
        expected, layer = _layer(own, k), _layer(other, number)
        found, wanted = [layer.shape, layer.geometry], [expected.shape, expected.geometry]
        if _has_norm(own, k):
            found.append(f'{layer.activation} behind it')
            wanted.append(f'{expected.activation} behind it')
        for one, another in zip(found, wanted):
            if one != another:
                return f'{layer.name!r} is {one}, expected is {another} ({expected.name})'
        if given != needed:
            return f'{layer.name!r} works on other layers than {expected.name} does'
    if len(ours) != len(theirs):
        return f'it has {len(theirs)} convolutions, expected are {len(ours)}'
    return ''
