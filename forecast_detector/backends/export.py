"""From a part of a network to a model of OpenVINO, as bytes that can be kept."""

from __future__ import annotations

from pathlib import Path
import tempfile
from typing import Any
import warnings

import openvino
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
import torch

from .part import Part


def export(part: Part) -> tuple[bytes, bytes]:
    """
    Turn a part into a model whose inputs have any size.

    The front end is called itself: ``openvino.convert_model`` would report to its makers.

    :returns: the graph (XML) and its weights.
    """
    arguments = tuple(part.example)
    with warnings.catch_warnings(), torch.no_grad():
        # Sizes that are taken for constants: those of one input size are.
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        warnings.simplefilter('ignore', DeprecationWarning)
        # As a function: of a module, tracing asks for every property, be there one or not.
        traced = torch.jit.trace(lambda *args: part.module(*args), arguments, check_trace=False)
        decoder = TorchScriptPythonDecoder(traced, example_input=arguments)
        front = FrontEndManager().load_by_framework('pytorch')
        model = front.convert(front.load(decoder))
        _type_inputs(model, arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'part.xml'
        openvino.save_model(model, str(path), compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix('.bin').read_bytes()


def _type_inputs(model: Any, arguments: tuple[torch.Tensor, ...]) -> None:
    for parameter, argument in zip(model.get_parameters(), arguments, strict=True):
        parameter.set_element_type(openvino.Type(argument.numpy().dtype))
        parameter.set_partial_shape(openvino.PartialShape([-1] * argument.ndim))
    model.validate_nodes_and_infer_types()
