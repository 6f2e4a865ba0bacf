"""Wall and processor time of what is done, taken down by name; of steps also by stage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.benchmark import Times

# Gives seconds since whenever.
Seconds = Callable[[], float]
# Wall and processor time, milliseconds.
Spent = NDArray[np.float64]
# What of a step no stage is.
REST = 'the rest'


class Clock:
    """
    Takes down how long things take, milliseconds.

    :ivar wall: by name; ``cpu`` likewise: of all threads of the process, whatever else the
        machine does meanwhile.
    """

    def __init__(
        self, wall: Seconds = time.perf_counter, cpu: Seconds = time.process_time
    ) -> None:
        """Begin, by some clocks."""
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)
        self._clocks = wall, cpu

    def _now(self) -> Spent:
        wall, cpu = self._clocks
        return np.array([wall(), cpu()]) * 1e3

    def _add(self, name: str, spent: Spent) -> None:
        self.wall[name].append(float(spent[0]))
        self.cpu[name].append(float(spent[1]))

    @contextmanager
    def measure(self, name: str, parts: int = 1) -> Iterator[None]:
        """
        Take down what is done meanwhile.

        :param parts: of how many alike that consists; the time is that of one.
        """
        started = self._now()
        yield
        self._add(name, (self._now() - started) / parts)

    def forget(self, name: str) -> None:
        """Forget what was taken down under a name."""
        self.wall.pop(name, None)
        self.cpu.pop(name, None)

    def times(self, name: str) -> Times:
        """Sum up what was taken down under a name; raises KeyError if nothing was."""
        if name not in self.wall:
            raise KeyError(name)
        return summed_up(name, self.wall[name], self.cpu[name])


def summed_up(name: str, wall: Sequence[float], cpu: Sequence[float]) -> Times:
    """Sum up times, milliseconds."""
    p50, p95, p99 = np.percentile(wall, (50, 95, 99)).tolist()
    return Times(name, len(wall), min(wall), p50, p95, p99, float(np.median(cpu)))


class StageClock(Clock):
    """
    Takes down steps, and how much of each went into which stage.

    A stage may be several calls; what another stage takes within one of them is that other's
    alone. So the stages of a step and its rest add up to the step.
    """

    def __init__(
        self, wall: Seconds = time.perf_counter, cpu: Seconds = time.process_time
    ) -> None:
        """Begin, by some clocks."""
        super().__init__(wall, cpu)
        self._steps: list[dict[str, Spent]] = []
        # Of the step that runs, and of what lies within the stage that runs.
        self._spent: dict[str, Spent] = {}
        self._within: Spent = np.zeros(2)

    @contextmanager
    def measure(self, name: str, parts: int = 1) -> Iterator[None]:
        """Take down a step."""
        self._spent = {}
        with self._stage(REST):
            yield
        self._add(name, np.sum(list(self._spent.values()), axis=0) / parts)
        self._steps.append(self._spent)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        outside, self._within = self._within, np.zeros(2)
        started = self._now()
        yield
        took = self._now() - started
        self._spent[name] = self._spent.get(name, np.zeros(2)) + took - self._within
        self._within = outside + took

    @contextmanager
    def watching(self, owner: Any, method: str, stage: str) -> Iterator[None]:
        """
        Take down every call meanwhile of a function that is looked up where it lies.

        :param owner: an object, a class or a module; ``method``: name of the function there.
        """
        inner: Callable[..., Any] = getattr(owner, method)
        own = vars(owner).get(method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._stage(stage):
                return inner(*args, **kwargs)

        setattr(owner, method, timed)
        try:
            yield
        finally:
            if own is None:  # it is that of the object's class again
                delattr(owner, method)
            else:
                setattr(owner, method, own)

    def stage(self, name: str) -> Times | None:
        """Sum up what each step spent in a stage; None if no step had it."""
        if not any(name in step for step in self._steps):
            return None
        wall, cpu = np.transpose([step.get(name, np.zeros(2)) for step in self._steps])
        return summed_up(name, wall.tolist(), cpu.tolist())
