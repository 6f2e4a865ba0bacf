"""Functions of tensors captured as CUDA graphs: launched at once instead of kernel by kernel."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..trees import cat, count, leaves, tree_map
from .part import batches

# Calls before a capture, as libraries set themselves up in their first ones.
WARM_UP = 3
# Rows beyond so many times the largest batch run in PyTorch: launches hardly count there.
MOST = 2

# Of (named) tuples of tensors, one row a stream; the same work whatever they hold.
Function = Callable[..., Any]


class Kind(NamedTuple):
    """A part, for inputs of some types and shapes, without their rows."""

    part: str
    inputs: tuple[tuple[torch.dtype, torch.Size], ...]


class Graph:
    """A function captured for inputs of one kind, rows included, in buffers of its own."""

    def __init__(self, function: Function, inputs: Any, stream: Any, pool: Any) -> None:
        """
        Capture.

        :param inputs: examples, on the device.
        :param stream: where it is warmed up and captured; ``pool``: memory that it may share.
        """
        self._inputs = tree_map(torch.clone, inputs)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                function(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool, stream=stream):
            self._outputs = function(*self._inputs)

    def __call__(self, inputs: Any) -> Any:
        """Run; what comes back is a copy, as the next call writes to the same buffers."""
        tree_map(lambda buffer, given: buffer.copy_(given), self._inputs, inputs)
        self._graph.replay()
        return tree_map(torch.clone, self._outputs)


class Graphs:
    """
    The graphs of one network, by part, kind of inputs and rows.

    They share their memory, as one is done with it before the next begins: calls exclude each
    other.
    """

    def __init__(self, device: torch.device) -> None:
        """
        Prepare to capture.

        :raises RuntimeError: where there is no such device.
        """
        self.device = device
        self._graphs: dict[Kind, dict[int, Graph]] = {}
        self._lock = Lock()
        with torch.cuda.device(device):
            self._stream, self._pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def __len__(self) -> int:
        """Count them."""
        return sum(len(graphs) for graphs in self._graphs.values())

    def capture(self, part: str, function: Function, inputs: Any) -> Any:
        """
        Capture a part for inputs like these, rows included, if it is not yet; and run it.

        Nothing else may use the device meanwhile.

        :raises RuntimeError: if it does what a graph cannot hold, or memory runs out.
        """
        inputs = tree_map(self._upload, inputs)
        kind, rows = _kind(part, inputs), count(inputs)
        # Buffers that are made in inference mode could be written to in no other.
        with (self._lock, torch.cuda.device(self.device), torch.inference_mode(False),
                torch.no_grad()):
            graphs = self._graphs.setdefault(kind, {})
            if rows not in graphs:
                graphs[rows] = Graph(function, inputs, self._stream, self._pool)
        return self.run(part, function, inputs)

    @torch.no_grad()
    def run(self, part: str, function: Function, inputs: Any) -> Any:
        """
        Run a part: by its graphs, or as it is where there are none for inputs like these.

        :param function: what was captured.
        :param inputs: where they lie does not matter.
        """
        inputs = tree_map(self._upload, inputs)
        graphs, rows = self._graphs.get(_kind(part, inputs), {}), count(inputs)
        if rows > MOST * max(graphs, default=0):
            return function(*inputs)
        with self._lock:
            return cat([
                graphs[at.stop - at.start](tree_map(lambda one, at=at: one[at], inputs))
                for at in batches(rows, graphs)
            ])

    def _upload(self, tensor: Tensor) -> Tensor:
        if tensor.device.type == self.device.type:
            return tensor
        # From pinned memory nobody waits for the copy.
        return tensor.pin_memory().to(self.device, non_blocking=True)


def _kind(part: str, inputs: Any) -> Kind:
    return Kind(part, tuple((one.dtype, one.shape[1:]) for one in leaves(inputs)))
