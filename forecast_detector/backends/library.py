"""Compiled parts of a network: exported once, kept, compiled for the sizes that come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
import hashlib
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
import openvino

from . import cache
from .export import export
from .part import batches, Part

# One for the process, to its end. OpenVINO gives the thread that makes one a stack for signals;
# where two end in the order in which they began, the next signal finds no stack, and that is a
# segmentation fault.
RUNTIME = openvino.Core()

# So many bytes are copied in no time worth naming.
LITTLE = 1 << 16

Array = NDArray[Any]
Shape = tuple[int, ...]


class Key(NamedTuple):
    """A part, for inputs of some shapes, without their rows."""

    part: str
    shapes: tuple[Shape, ...]


class Compiled:
    """A part compiled for inputs of one shape, rows included."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._inputs = [_Port(port, self._request.set_input_tensor, index)
                        for index, port in enumerate(compiled.inputs)]
        self._outputs = [_Port(port, self._request.set_output_tensor, index)
                         for index, port in enumerate(compiled.outputs)]
        # A request is one call's at a time.
        self._lock = Lock()

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Run; what is given is not changed, what comes back is new."""
        with self._lock:
            for port, array in zip(self._inputs, inputs, strict=True):
                port.give(array)
            for port in self._outputs:
                port.make_room()
            self._request.infer()
            return [port.take() for port in self._outputs]


class _Port:
    """
    An input or output of a request.

    Little is copied from and to memory of the request's own: to hand over the caller's takes
    longer.
    """

    def __init__(self, port: Any, set_tensor: Callable[[int, Any], None], index: int) -> None:
        self._shape, self._dtype = tuple(port.shape), port.element_type.to_dtype()
        self._set, self._index = set_tensor, index
        # What a request works on has to stay.
        self._held: Array = np.empty(self._shape, self._dtype)
        self._copies = self._held.nbytes <= LITTLE
        self._share(self._held)

    def _share(self, array: Array) -> None:
        self._held = array
        self._set(self._index, openvino.Tensor(array, shared_memory=True))

    def give(self, array: Array) -> None:
        if array.shape != self._shape or array.dtype != self._dtype:
            raise ValueError(
                f'{array.dtype} of {array.shape} came, {self._dtype} of {self._shape} was '
                'compiled for')
        if self._copies:
            np.copyto(self._held, array)
        else:
            self._share(array)

    def make_room(self) -> None:
        if not self._copies:
            self._share(np.empty(self._shape, self._dtype))

    def take(self) -> Array:
        return self._held.copy() if self._copies else self._held


class Library:
    """
    The parts of one network.

    :ivar note: what is worth knowing of how they came to be; '' for nothing.
    """

    def __init__(
        self, parts: Callable[[], Mapping[str, Part]], key: str, threads: int,
        light: Collection[str] = (), precisions: Mapping[str, str] | None = None,
    ) -> None:
        """
        Prepare to compile.

        :param parts: makes the parts, should they have to be exported.
        :param key: names the export, see :func:`~.cache.fingerprint`.
        :param threads: at most so many work on a call.
        :param light: parts of so little work that a second thread would rather spin than work.
        :param precisions: of parts, in OpenVINO's words; all others have single precision.
        """
        self._parts = parts
        self._made: Mapping[str, Part] = {}
        root = cache.cache_folder()
        self._folder = root / f'openvino-{key}' if root is not None else None
        self._models: dict[str, Any] = {}
        # By part and shapes, then by batch; what is in it is not changed any more.
        self._compiled: dict[Key, dict[int, Compiled]] = {}
        self._preparing = Lock()
        self.note = ''
        # No thread is bound to a core that another node may need.
        self._settings = {
            'PERFORMANCE_HINT': 'LATENCY', 'ENABLE_CPU_PINNING': False, 'NUM_STREAMS': 1,
        }
        self._threads, self._light, self._precisions = threads, light, precisions or {}

    def prepare(self, part: str, inputs: Sequence[Sequence[int]], batch: int = 1) -> None:
        """
        Compile a part; it may take seconds where it was not exported before.

        Other threads may run parts meanwhile: a part is there once it can run.

        :param inputs: shapes of its inputs, without their rows.
        """
        key = Key(part, tuple(tuple(shape) for shape in inputs))
        with self._preparing:
            if batch not in self._compiled.get(key, {}):
                made = Compiled(self._kept(key, batch) or self._compile(key, batch))
                self._compiled[key] = {**self._compiled.get(key, {}), batch: made}

    def _settings_of(self, key: Key) -> dict[str, Any]:
        threads = 1 if key.part in self._light else self._threads
        # Less than single precision only where that was asked for, whatever the processor likes.
        precision = self._precisions.get(key.part, 'f32')
        return {
            **self._settings, 'INFERENCE_NUM_THREADS': threads,
            'INFERENCE_PRECISION_HINT': precision,
        }

    def _blob(self, key: Key, batch: int) -> str:
        shapes = '_'.join('x'.join(map(str, shape)) for shape in key.shapes)
        name = hashlib.sha256(shapes.encode()).hexdigest()[:12]
        return f'{key.part}-{batch}-{name}.blob'

    def _load(self, name: str) -> bytes:
        """
        Read what was kept under a name.

        :raises OSError: if there is nothing; ``ValueError`` if it is not whole.
        """
        if self._folder is None:
            raise FileNotFoundError(name)
        return cache.load(self._folder / name)

    def _kept(self, key: Key, batch: int) -> Any:
        """Take what an earlier run compiled; None if there is no whole one."""
        try:
            data = self._load(self._blob(key, batch))
            if self._folder is not None:
                self._folder.touch()
            return RUNTIME.import_model(data, 'CPU', self._settings_of(key))
        except (OSError, ValueError, RuntimeError):
            return None

    def _compile(self, key: Key, batch: int) -> Any:
        model = self._model(key.part).clone()
        model.reshape({
            port: [batch, *shape] for port, shape in zip(model.inputs, key.shapes, strict=True)
        })
        compiled = RUNTIME.compile_model(model, 'CPU', self._settings_of(key))
        self._keep([(self._blob(key, batch), bytes(compiled.export_model().getvalue()))])
        return compiled

    def has(self, part: str, inputs: Sequence[Array]) -> bool:
        """Say whether a part is compiled for inputs like these, whatever their rows."""
        return _key(part, inputs) in self._compiled

    def run(self, part: str, inputs: Sequence[Array]) -> list[Array]:
        """
        Run a part; rows are taken together as far as that was prepared.

        :param inputs: (B, ...) each.
        :raises KeyError: if it was not prepared for such inputs: nothing compiles while frames
            wait.
        """
        compiled = self._compiled[_key(part, inputs)]
        inputs, rows = [np.ascontiguousarray(one) for one in inputs], len(inputs[0])
        if rows in compiled:
            return compiled[rows](inputs)
        parts = [
            compiled[at.stop - at.start]([one[at] for one in inputs])
            for at in batches(rows, compiled)
        ]
        return [np.concatenate(outputs) for outputs in zip(*parts)]

    def _model(self, part: str) -> Any:
        if part not in self._models:
            self._models[part] = self._exported_before(part) or self._export(part)
        return self._models[part]

    def _exported_before(self, part: str) -> Any:
        """Take an export of an earlier run; None if there is no whole one."""
        try:
            return self._read(*(self._load(name) for name in _files(part)))
        except (OSError, ValueError, RuntimeError):
            return None

    def _export(self, part: str) -> Any:
        self._made = self._made or self._parts()
        files = export(self._made[part])
        self._keep(zip(_files(part), files))
        return self._read(*files)

    def _keep(self, files: Iterable[tuple[str, bytes]]) -> None:
        if self._folder is None:
            self.note = (
                'exported anew at every start: no home folder is known to keep exports in; set '
                'XDG_CACHE_HOME to a folder that can be written to'
            )
            return
        try:
            for name, data in files:
                cache.store(self._folder / name, data)
            cache.prune(self._folder.parent)
        except OSError as error:
            self.note = (
                f'exported anew at every start: {self._folder.parent} cannot be written to '
                f'({error.strerror}); set XDG_CACHE_HOME to a folder that can'
            )

    def _read(self, graph: bytes, weights: bytes) -> Any:
        data = np.frombuffer(weights, np.uint8)
        tensor = openvino.Tensor(np.array(data) if len(data) else np.zeros(0, np.uint8))
        return RUNTIME.read_model(graph, tensor)


def _files(part: str) -> tuple[str, str]:
    return f'{part}.xml', f'{part}.bin'


def _key(part: str, inputs: Sequence[Array]) -> Key:
    return Key(part, tuple(one.shape[1:] for one in inputs))
