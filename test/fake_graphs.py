"""
CUDA graphs that are pretended: operators are taken down as they run, and repeated by a replay.

As on a GPU, a replay runs no Python: values that a capture asked for stay as they were, and it
writes into the very memory that the capture wrote to. What a graph cannot hold is an error.
"""

from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from forecast_detector.trees import leaves

ATEN = torch.ops.aten
# They wait for the device, or copy from memory that is gone by the replay.
REFUSED = {
    ATEN._local_scalar_dense.default, ATEN.nonzero.default, ATEN.masked_select.default,
    ATEN.lift_fresh.default,
}


class FakeGraph(TorchDispatchMode):
    """In the place of ``torch.cuda.CUDAGraph``; as a context it captures."""

    def __init__(self):
        super().__init__()
        self.calls, self.replays = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in REFUSED or function is ATEN.index.Tensor and any(
                one is not None and one.dtype is torch.bool for one in args[1]):
            raise RuntimeError(f'{function}: not permitted when stream is capturing\nmore of it')
        made = function(*args, **kwargs or {})
        self.calls.append((function, args, kwargs or {}, made))
        return made

    def replay(self):
        self.replays += 1
        with torch._C.DisableTorchFunction():
            for function, args, kwargs, made in self.calls:
                for kept, new in zip(leaves(made), leaves(function(*args, **kwargs)), strict=True):
                    # Views, and what is changed in place, have been written by now.
                    if kept.untyped_storage()._cdata != new.untyped_storage()._cdata:
                        kept.copy_(new)


class FakeStream:
    """In the place of ``torch.cuda.Stream``."""

    def wait_stream(self, other):
        """Nothing runs beside."""


def install(patch: pytest.MonkeyPatch):
    """Let torch.cuda capture in this way; gives the graphs, as they are made."""
    made = []

    def graph():
        made.append(FakeGraph())
        return made[-1]

    @contextmanager
    def capture(one, pool, stream):
        with one:
            yield

    for name, stand_in in {
        'CUDAGraph': graph, 'graph': capture, 'Stream': FakeStream, 'current_stream': FakeStream,
        'stream': nullcontext, 'device': nullcontext, 'graph_pool_handle': lambda: (0, 0),
    }.items():
        patch.setattr(torch.cuda, name, stand_in)
    return made
