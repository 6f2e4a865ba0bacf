"""Wall and processor time of calls, taken down by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import time
from typing import Any

import numpy as np

from ..records.benchmark import Times


class Clock:
    """
    Takes down how long things take, milliseconds.

    :ivar wall: by name; ``cpu`` likewise: of all threads of the process, whatever else the
        machine does meanwhile.
    """

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def measure(self, name: str, parts: int = 1) -> Iterator[None]:
        """
        Take down what is done meanwhile.

        :param parts: of how many alike that consists; the time is that of one.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall[name].append((time.perf_counter() - wall) * 1e3 / parts)
        self.cpu[name].append((time.process_time() - cpu) * 1e3 / parts)

    @contextmanager
    def watching(self, owner: Any, method: str, name: str) -> Iterator[None]:
        """Take down every call of an object's method meanwhile."""
        inner: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.measure(name):
                return inner(*args, **kwargs)

        setattr(owner, method, timed)
        try:
            yield
        finally:
            delattr(owner, method)

    def forget(self, name: str) -> None:
        """Forget what was taken down under a name."""
        self.wall.pop(name, None)
        self.cpu.pop(name, None)

    def times(self, name: str) -> Times:
        """Sum up what was taken down under a name; raises KeyError if nothing was."""
        if name not in self.wall:
            raise KeyError(name)
        wall, cpu = self.wall[name], self.cpu[name]
        p50, p95, p99 = np.percentile(wall, (50, 95, 99)).tolist()
        return Times(name, len(wall), min(wall), p50, p95, p99, float(np.median(cpu)))
