"""
A GPU that is pretended: tensors on it are the CPU's, but mixing them with others is an error.

Machines that test have none, and a tensor left on the CPU is the commonest way to fail on one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from forecast_detector.model.yolox.decoding import kept_cells

GPU = torch.device('cuda', 0)
CPU = torch.device('cpu')
# These take tensors from anywhere, or give no new ones.
ANYWHERE = {'copy_', '__set__', '_has_compatible_shallow_copy_type'}


class PretendGPU(TorchFunctionMode):
    """
    Keep account of whose storage lies on the pretended GPU.

    A tensor without dimensions may join those of any device, as in torch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._there: dict[int, StorageWeakRef] = {}
        kept_cells.cache_clear()  # what another one left there is not known here

    def holds(self, tensor: torch.Tensor) -> bool:
        """Say whether a tensor lies on the pretended GPU."""
        with torch._C.DisableTorchFunction():
            entry = self._there.get(tensor.untyped_storage()._cdata)
        return entry is not None and not entry.expired()

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run a function of torch on the CPU, and put its results where they would be."""
        name = getattr(function, '__name__', '')
        owner = getattr(function, '__self__', None)
        if owner is torch.Tensor.device:
            return GPU if self.holds(args[0]) else CPU
        if owner is torch.Tensor.is_cuda:
            return self.holds(args[0])
        if name == 'pin_memory':
            return args[0].clone()
        # The second argument of a copy is what was copied before.
        tensors = list(_tensors(args[:1] if name == '__deepcopy__' else (args, kwargs)))
        moved = name in ('to', 'cpu')
        args, asked = _onto_cpu(args, moved)
        kwargs, also = _onto_cpu(dict(kwargs or {}), True)
        kwargs.pop('pin_memory', None)
        target = asked or also or (CPU if name == 'cpu' else None)
        there = {self.holds(t) for t in tensors if t.ndim}
        if name == 'numpy' and True in there:
            raise AssertionError('numpy() of a tensor on the GPU')
        if len(there) > 1 and name not in ANYWHERE and target is None:
            shapes = [(tuple(t.shape), 'GPU' if self.holds(t) else 'CPU') for t in tensors]
            raise AssertionError(f'{name}: tensors of two devices: {shapes}')
        result = function(*args, **kwargs)
        if name in ANYWHERE:
            return result
        if moved and target is not None:
            changes = self.holds(args[0]) != (target.type == 'cuda')
            # Here it is the same memory; there it would not be.
            result = result.clone() if changes and result is args[0] else result
        if target is None:
            on_gpu = any(self.holds(t) for t in tensors)
        else:
            on_gpu = target.type == 'cuda'
        if on_gpu:
            for tensor in _tensors(result):
                storage = tensor.untyped_storage()
                self._there[storage._cdata] = StorageWeakRef(storage)
        return result


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _onto_cpu(arguments: Any, positional: bool) -> tuple[Any, torch.device | None]:
    """Replace a device among arguments by the CPU; returns which one it was."""
    items = arguments.items() if isinstance(arguments, dict) else enumerate(arguments)
    replaced, asked = {}, None
    for key, value in items:
        if key == 'device' and value is not None or positional and _is_device(value):
            asked, value = torch.device(value), CPU
        replaced[key] = value
    return (replaced if isinstance(arguments, dict) else tuple(replaced.values())), asked


def _is_device(value: Any) -> bool:
    return isinstance(value, torch.device) or isinstance(value, str) and (
        value == 'cpu' or value.startswith('cuda')
    )
