"""YOLOX as an ONNX file: its operations, and the weights of its convolutions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..types import WeightsError
from .expected import geometry
from .graph import Convolution, Graph, Node
from .onnx_values import load_model, Values

# Their outputs are sizes, not maps.
_SIZES = ('Shape', 'Size')
_QUANTISED = ('QLinearConv', 'ConvInteger', 'DequantizeLinear', 'QuantizeLinear')
# What would change the colours of an image.
_ARITHMETIC = {'Add', 'BatchNormalization', 'Div', 'Mul', 'Sub'}
# SiLU, x sigmoid(x), is one operation since opset 24.
_SILU = ({'Sigmoid', 'Mul'}, {'Swish'})


@dataclass(frozen=True)
class OnnxNetwork:
    """
    What an ONNX file holds.

    :ivar weights: of each convolution, by the number of its node: ``conv.weight``, and
        ``conv.bias`` or, where there is a norm behind it, ``bn.weight`` and so on.
    :ivar input_size: (height, width) in pixels, None where the file leaves it open.
    :ivar says: what the file says of itself.
    """

    graph: Graph
    weights: Mapping[int, Mapping[str, Tensor]]
    input_size: tuple[int, int] | None
    says: Mapping[str, str]


def read_onnx(path: Path) -> OnnxNetwork:
    """
    Read the network of a file.

    :raises WeightsError: for a file that is none, is damaged, or computes something else.
    """
    model = load_model(path)
    try:
        return _Reading(model).network()
    except WeightsError as error:
        raise WeightsError(f'{path}: {error}') from error


class _Reading:
    def __init__(self, model: Any) -> None:
        self._model, self._graph = model, model.graph
        self._values = Values(model.graph)
        self._users: dict[str, list[Any]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self._users[name].append(node)
        constant = {one.name for one in model.graph.initializer}
        self._inputs = [one for one in model.graph.input if one.name not in constant]

    def network(self) -> OnnxNetwork:
        numbers = {one.name: k for k, one in enumerate(self._inputs)}
        nodes = [Node(()) for _ in self._inputs]
        weights: dict[int, dict[str, Tensor]] = {}
        for op in self._graph.node:
            sized = op.op_type in _SIZES
            inputs = tuple(numbers[k] for k in op.input if k in numbers and not sized)
            self._refuse(op, bool(inputs) and not weights)
            if not inputs:
                continue  # it depends on no image
            found = None
            if op.op_type == 'Conv':
                found, weights[len(nodes)] = self._convolution(op)
            numbers.update(dict.fromkeys(op.output, len(nodes)))
            nodes.append(Node(inputs, found, op.op_type == 'Add'))
        if not weights:
            raise WeightsError('there is no convolution in it; expected is an export of YOLOX')
        return OnnxNetwork(Graph(nodes), weights, self._input_size(), self._says())

    def _refuse(self, op: Any, on_image: bool) -> None:
        if on_image and op.op_type in _ARITHMETIC:
            raise WeightsError(
                f'{op.op_type} {op.name!r} works on the image itself; YOLOX takes it as it is, '
                'BGR from 0 to 255: export the network without what prepares images'
            )
        if op.op_type in _QUANTISED:
            raise WeightsError(f'quantised weights ({op.op_type}); export it in floating point')

    def _convolution(self, op: Any) -> tuple[Convolution, dict[str, Tensor]]:
        name = op.input[1]
        weight = self._value(name, op)
        set_ = {one.name: one for one in op.attribute}
        rank = weight.ndim - 2
        stride, padding = (
            list(set_[key].ints) if key in set_ else [default] * number
            for key, default, number in (('strides', 1, rank), ('pads', 0, 2 * rank))
        )
        groups = set_['group'].i if 'group' in set_ else 1
        text = geometry(stride, padding, groups)
        if 'dilations' in set_ and set(set_['dilations'].ints) != {1}:
            text += f', dilations {list(set_["dilations"].ints)}'
        if 'auto_pad' in set_ and set_['auto_pad'].s not in (b'', b'NOTSET', b'VALID'):
            text += f', auto_pad {set_["auto_pad"].s.decode()}'
        found = {'conv.weight': weight}
        if len(op.input) > 2 and op.input[2]:
            found['conv.bias'] = self._value(op.input[2], op)
        output = op.output[0]
        norms = [one for one in self._users[output] if one.op_type == 'BatchNormalization']
        if norms:
            found = self._normed(found, norms[0])
            output = norms[0].output[0]
        users = {one.op_type for one in self._users[output]} - {'Cast'}
        return Convolution(name, tuple(weight.shape), text, _activation(users)), found

    def _normed(self, found: dict[str, Tensor], norm: Any) -> dict[str, Tensor]:
        scale, shift, mean, var = (self._value(name, norm).float() for name in norm.input[1:5])
        epsilon = next((one.f for one in norm.attribute if one.name == 'epsilon'), 1e-5)
        if 'conv.bias' in found:
            mean = mean - found['conv.bias'].float()
        # Ours adds 1e-3 to the variance, whatever the file adds.
        scale = scale * ((var + 1e-3) / (var + epsilon)).sqrt()
        return {
            'conv.weight': found['conv.weight'], 'bn.weight': scale, 'bn.bias': shift,
            'bn.running_mean': mean, 'bn.running_var': var,
        }

    def _value(self, name: str, op: Any) -> Tensor:
        value = self._values.get(name)
        if value is None:
            raise WeightsError(
                f'{op.op_type} {op.name!r}: its weights {name!r} are not in the file; export it '
                'with its weights, in floating point'
            )
        return value

    def _input_size(self) -> tuple[int, int] | None:
        for one in self._inputs:
            sides = [side.dim_value for side in one.type.tensor_type.shape.dim]
            if len(sides) == 4 and sides[1] == 3 and sides[2] > 0 and sides[3] > 0:
                return sides[2], sides[3]
        return None

    def _says(self) -> dict[str, str]:
        model = self._model
        says = {
            'producer': f'{model.producer_name} {model.producer_version}'.strip(),
            'description': model.doc_string,
            **{one.key: one.value for one in model.metadata_props},
        }
        return {key: value for key, value in says.items() if value}


def _activation(users: set[str]) -> str:
    """Name what is made of a convolution's outputs."""
    return 'SiLU' if users in _SILU else ', '.join(sorted(users)) or 'nothing'
