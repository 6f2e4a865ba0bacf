"""Which backend runs a network, and why: never a silent fallback."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
import os
from typing import Any, cast, get_args, NamedTuple

import torch
from torch import nn

from ..config import Backend
from ..model.families import AnyNetwork
from ..model.network import ForecastNetwork
from ..model.yolox.network import YoloxNetwork

# What ``auto`` means instead, where it is set.
VARIABLE = 'FORECAST_DETECTOR_BACKEND'
MISSING = 'openvino is not installed; `pip install openvino` makes steps on a CPU faster'
NO_HALF = (
    'this processor has no fast half precision (of x86, processors with AVX512_BF16, AMX or '
    "AVX-VNNI-2 have it); 'openvino' runs in single precision"
)
# What OpenVINO calls them as abilities of a processor, and as settings. Processors of x86 that
# have both are slower at the second, which is Arm's.
HALVES = {'BF16': 'bf16', 'FP16': 'f16'}
OF_CPUS = ('openvino', 'openvino_half')
# The backends that are more than PyTorch itself, as messages name them.
TITLES = {
    'openvino': 'OpenVINO', 'openvino_half': 'OpenVINO in half precision',
    'cuda_graphs': 'CUDA graphs',
    'cuda_graphs_half': 'CUDA graphs in half precision',
}


class Connected(NamedTuple):
    """
    A network, ready to run.

    :ivar network: behind the engine's seam.
    :ivar name: of the backend; ``note``: a sentence that says why.
    :ivar graphed: whether it runs in graphs, on a GPU: thumbnails are left on the CPU then.
    """

    network: Any
    name: str
    note: str
    graphed: bool = False


def connect(
    network: nn.Module, name: Backend, device: torch.device, sizes: Sequence[tuple[int, int]]
) -> Connected:
    """
    Put a network behind a backend. This takes seconds where it was not exported before.

    OpenVINO takes as many threads as PyTorch does.

    :param name: ``auto`` takes OpenVINO on a CPU where it is installed, CUDA graphs on a GPU,
        and PyTorch otherwise.
    :param network: norms folded, on its device.
    :param sizes: (height, width) of inputs to prepare for, pixels; at least one.
    :raises ValueError: for another name, or where the asked backend cannot run here.
    """
    replaced = os.environ.get(VARIABLE, '') if name == 'auto' else ''
    asked, place = (replaced, VARIABLE) if replaced else (name, 'backend')
    if asked not in get_args(Backend):
        raise ValueError(f'{place}: {asked!r} is none of {", ".join(get_args(Backend))}')
    if asked == 'torch':
        return Connected(network, 'torch', 'steps run in PyTorch, as asked')
    usual = 'openvino' if device.type == 'cpu' else 'cuda_graphs'
    chosen = usual if asked == 'auto' else asked
    try:
        hindrance = _hindrance(network, device, chosen)
        if hindrance is None:
            if chosen in OF_CPUS:
                return _with_openvino(network, sizes, chosen)
            return _with_graphs(network, device, sizes, chosen)
    except Exception as error:  # a runtime that fails must not stop a robot that has another
        reason = f'{type(error).__name__}: {error}'.partition('\n')[0]
        hindrance = f'{TITLES[chosen]} failed ({reason})'
    if asked == 'auto':
        return Connected(network, 'torch', f'steps run in PyTorch: {hindrance}')
    raise ValueError(
        f"{place}: {asked!r} was asked: {hindrance}; use 'auto' or 'torch' to run without it"
    )


def _hindrance(network: nn.Module, device: torch.device, backend: str) -> str | None:
    """Say why a backend is not for this; None if it is."""
    if backend in OF_CPUS and device.type != 'cpu':
        return f'the network is on {device}, where OpenVINO is not used'
    if backend not in OF_CPUS and device.type != 'cuda':
        return f'the network is on {device}, and CUDA graphs are of a GPU (device: cuda)'
    if not isinstance(network, (YoloxNetwork, ForecastNetwork)):
        return f'no compiled parts are known of a {type(network).__name__}'
    if backend in OF_CPUS and not find_spec('openvino'):
        return MISSING
    return NO_HALF if backend == 'openvino_half' and _half_precision() is None else None


def _half_precision() -> str | None:
    """Give the half precision that the processor is fast at; None if it is at none."""
    from .library import RUNTIME

    able = RUNTIME.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
    return next((name for kind, name in HALVES.items() if kind in able), None)


def _with_graphs(
    network: nn.Module, device: torch.device, sizes: Sequence[tuple[int, int]], name: str
) -> Connected:
    from .graphed import GraphedSSDLite, GraphedYolox
    from .graphs import Graphs

    kind: Any = GraphedYolox if isinstance(network, YoloxNetwork) else GraphedSSDLite
    graphed = kind(network, Graphs(device), name.endswith('half'))
    for size in sizes:
        graphed.prepare(size)
    return Connected(graphed, name, f'steps run in {TITLES[name]}', graphed=True)


def _with_openvino(
    network: nn.Module, sizes: Sequence[tuple[int, int]], name: str
) -> Connected:
    import openvino

    from . import ssdlite, yolox, yolox_parts
    from .cache import fingerprint
    from .library import Library, RUNTIME

    # What was compiled is of one kind of processor.
    processor = RUNTIME.get_property('CPU', 'FULL_DEVICE_NAME')
    threads = torch.get_num_threads()
    precision = _half_precision() if name == 'openvino_half' else None
    facts = (openvino.__version__, torch.__version__, sizes[0], processor, threads, precision)
    is_yolox = isinstance(network, YoloxNetwork)
    key = fingerprint(cast(AnyNetwork, network), facts)
    family: Any = yolox_parts if is_yolox else ssdlite
    library = Library(
        lambda: family.parts(network, sizes[0]), key, threads, family.LIGHT,
        dict.fromkeys(family.HALF, precision) if precision else {},
    )
    kind: Any = yolox.CompiledYolox if is_yolox else ssdlite.CompiledSSDLite
    compiled = kind(network, library)
    for size in sizes:
        compiled.prepare(size)
    version = openvino.__version__.split('-')[0]
    note = f'steps run in OpenVINO {version}, {threads} threads'
    note = f'{note}, the network in {precision}' if precision else note
    note = f'{note}; {library.note}' if library.note else note
    return Connected(compiled, name, note)
