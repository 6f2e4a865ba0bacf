"""Weights of an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..types import WeightsError


def load_model(path: Path) -> Any:
    """
    Read the file, and those beside it that hold its weights.

    :returns: onnx.ModelProto.
    :raises RuntimeError: if onnx is not installed.
    :raises WeightsError: for a file that is none or is damaged.
    """
    try:
        from google.protobuf.message import DecodeError
        import onnx
    except ImportError as error:
        raise RuntimeError(
            f"{path}: to read ONNX files, onnx is needed: pip install onnx, or "
            "'forecast_detector[onnx]'"
        ) from error
    try:
        model = onnx.load(str(path), format='protobuf', load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise WeightsError(
            f'{path}: neither a checkpoint of PyTorch nor a readable ONNX file: it is truncated '
            'or another format; expected is a .pth or .onnx file of YOLOX'
        ) from error
    if not model.graph.node:
        raise WeightsError(f'{path}: no network is in it; expected is a .pth or .onnx file')
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise WeightsError(
            f'{path}: its weights lie in files beside it, and one cannot be read: '
            f'{" ".join(str(error).split())}; put all files of the export into one folder'
        ) from error
    return model


class Values:
    """Looks up tensors of a graph that do not depend on its inputs."""

    def __init__(self, graph: Any) -> None:
        self._initializers = {one.name: one for one in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}

    def get(self, name: str) -> Tensor | None:
        """Give a tensor by name; None if it is computed."""
        from onnx import numpy_helper

        node = self._makers.get(name)
        while node is not None and node.op_type in ('Identity', 'Cast'):
            name = node.input[0]
            node = self._makers.get(name)
        proto = self._initializers.get(name)
        if node is not None and node.op_type == 'Constant':
            proto = next((one.t for one in node.attribute if one.name == 'value'), None)
        if proto is None:
            return None
        values = numpy_helper.to_array(proto)
        if values.dtype != np.float16:
            values = values.astype(np.float32)
        return torch.from_numpy(values.copy())
