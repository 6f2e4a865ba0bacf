"""Which backend runs a network, and why: never a silent fallback."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
import os
from typing import Any, get_args, NamedTuple

import torch
from torch import nn

from ..config import Backend
from ..model.network import ForecastNetwork
from ..model.yolox.network import YoloxNetwork

# What ``auto`` means instead, where it is set.
VARIABLE = 'FORECAST_DETECTOR_BACKEND'
MISSING = 'openvino is not installed; `pip install openvino` makes steps on a CPU faster'


class Connected(NamedTuple):
    """
    A network, ready to run.

    :ivar network: behind the engine's seam.
    :ivar name: of the backend, ``torch`` or ``openvino``; ``note``: a sentence that says why.
    """

    network: Any
    name: str
    note: str


def connect(
    network: nn.Module, name: Backend, device: torch.device, sizes: Sequence[tuple[int, int]]
) -> Connected:
    """
    Put a network behind a backend. This takes seconds where it was not exported before.

    It takes as many threads as PyTorch does.

    :param name: ``auto`` takes OpenVINO on a CPU where it is installed, PyTorch otherwise.
    :param network: norms folded, on its device.
    :param sizes: (height, width) of inputs to prepare for, pixels; at least one.
    :raises ValueError: for another name, or where the asked backend cannot run here.
    """
    asked = os.environ.get(VARIABLE, '') or 'auto' if name == 'auto' else name
    if asked not in get_args(Backend):
        raise ValueError(f'backend: {asked!r} is none of {", ".join(get_args(Backend))}')
    if asked == 'torch':
        return Connected(network, 'torch', 'steps run in PyTorch, as asked')
    hindrance = _hindrance(network, device)
    if hindrance is None:
        try:
            return _with_openvino(network, sizes)
        except Exception as error:  # a runtime that fails must not stop a robot that has another
            hindrance = f'OpenVINO failed ({type(error).__name__}: {error})'
    if asked == 'auto':
        return Connected(network, 'torch', f'steps run in PyTorch: {hindrance}')
    raise ValueError(
        f"backend: 'openvino' was asked: {hindrance}; use 'auto' or 'torch' to run without it"
    )


def _hindrance(network: nn.Module, device: torch.device) -> str | None:
    """Say why OpenVINO is not for this; None if it is."""
    if device.type != 'cpu':
        return f'the network is on {device}, where OpenVINO is not used'
    if not isinstance(network, (YoloxNetwork, ForecastNetwork)):
        return f'no compiled parts are known of a {type(network).__name__}'
    return None if find_spec('openvino') else MISSING


def _with_openvino(network: nn.Module, sizes: Sequence[tuple[int, int]]) -> Connected:
    import openvino

    from . import ssdlite, yolox, yolox_parts
    from .cache import fingerprint
    from .library import Library

    # What was compiled is of one kind of processor.
    processor = openvino.Core().get_property('CPU', 'FULL_DEVICE_NAME')
    threads = torch.get_num_threads()
    facts = (openvino.__version__, torch.__version__, sizes[0], processor, threads)
    is_yolox = isinstance(network, YoloxNetwork)
    key = fingerprint(network, facts)
    family: Any = yolox_parts if is_yolox else ssdlite
    library = Library(lambda: family.parts(network, sizes[0]), key, threads)
    kind: Any = yolox.CompiledYolox if is_yolox else ssdlite.CompiledSSDLite
    compiled = kind(network, library)
    for size in sizes:
        compiled.prepare(size)
    version = openvino.__version__.split('-')[0]
    note = f'steps run in OpenVINO {version}, {threads} threads'
    return Connected(compiled, 'openvino', f'{note}; {library.note}' if library.note else note)
