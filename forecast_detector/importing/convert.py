"""From a foreign file to a network of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
from pathlib import Path

import torch
from torch import Tensor

from ..config import Resize
from ..model.yolox.config import YoloxConfig
from ..model.yolox.network import YoloxNetwork
from ..types import WeightsError
from .labels import choose_labels
from .official import fill, name_of, recognise
from .onnx_file import read_onnx
from .pairing import named
from .torch_file import read_torch

# Zip archives, and pickles as PyTorch wrote them before.
_TORCH = (b'PK\x03\x04', b'\x80')
# Published weights of narrower networks are for 416, others for 640 pixels.
_NARROW, _SMALL, _LARGE = 0.5, (416, 416), (640, 640)


@dataclass(frozen=True)
class Imported:
    """
    A network of ours.

    :ivar size: name of its size.
    :ivar info: where the weights come from.
    :ivar half: whether all were in half precision, so that keeping it loses nothing.
    """

    network: YoloxNetwork
    size: str
    info: Mapping[str, str]
    half: bool


def import_yolox(
    path: Path, labels: str | None = None, input_size: tuple[int, int] | None = None,
    resize: Resize = 'corner',
) -> Imported:
    """
    Make a network of a checkpoint or an ONNX export.

    :param labels: see :func:`~.labels.choose_labels`.
    :param input_size: (height, width) in pixels; None is that of the file, or as published.
    :param resize: how images are laid into the input; as published by default.
    :raises WeightsError: for a file that cannot be read or holds something else.
    :raises ValueError: for labels that do not fit.
    """
    tensors, known_size, says = _read(path)
    try:
        depth, width, depthwise, classes = recognise(tensors)
        names = choose_labels(classes, labels)
        usual = _SMALL if width < _NARROW else _LARGE
        network = YoloxNetwork(YoloxConfig(
            names, depth, width, depthwise, input_size or known_size or usual, resize
        ))
        fill(network, tensors)
    except ValueError as error:
        raise WeightsError(f'{path}: {error}') from error
    info = {
        'source': path.name, 'source_sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        **{f'source_{key}': value for key, value in says.items()},
    }
    half = all(one.dtype == torch.float16 for one in tensors.values() if one.ndim > 1)
    return Imported(network.eval(), name_of(network.config), info, half)


def _read(path: Path) -> tuple[dict[str, Tensor], tuple[int, int] | None, Mapping[str, str]]:
    if path.is_dir():
        raise WeightsError(f'{path}: a folder; expected is a .pth or .onnx file of YOLOX')
    if not path.is_file():
        raise WeightsError(f'{path}: no such file; expected is a .pth or .onnx file of YOLOX')
    with path.open('rb') as file:
        start = file.read(4)
    if start.startswith(_TORCH):
        tensors, says = read_torch(path)
        return tensors, None, says
    network = read_onnx(path)
    try:
        return named(network), network.input_size, network.says
    except WeightsError as error:
        raise WeightsError(f'{path}: {error}') from error
