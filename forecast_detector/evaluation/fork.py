"""Both ways of a frame, from the same past: READ and FORECAST, side by side for many streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..engine.memory import Memory, rows, where
from ..engine.recurrence import advance, Expected, restarted
from ..engine.rules import SinceRead
from .rollout import groups
from .run import Done, ignore
from .store import FeatureStore

Runs = list[SinceRead | None]
Step = Callable[[Sequence[int], int, Memory | None, Runs], tuple[Memory, Runs]]


class Fork(NamedTuple):
    """
    What streams remember after a frame, both ways.

    :ivar forecast: None on the first frame, which cannot be forecast.
    """

    read: Memory
    forecast: Memory | None

    def join(self, reads: Sequence[bool]) -> Memory:
        """Go on with the one or the other, stream by stream."""
        return self.read if self.forecast is None else where(reads, self.read, self.forecast)


def expect(
    store: FeatureStore, memory: Memory, frames: Sequence[int]
) -> Expected:
    """Say what F of the streams' next frames would be, were they FORECASTs."""
    return store.detector.forecaster.expect(memory, store.previews(frames))


def fork(
    store: FeatureStore, memory: Memory | None, expected: Expected | None,
    frames: Sequence[int], fresh: Sequence[bool],
) -> Fork:
    """
    Step streams by their next frame, both ways.

    :param memory: of the frame before; None before the first one, as is ``expected``.
    :param frames: numbers of the frames in the store.
    :param fresh: which streams start from nothing.
    """
    network, preview = store.detector.network, store.previews(frames)
    features = store.features(frames)
    if memory is None or expected is None:
        return Fork(advance(network, features, None, preview), None)
    state = restarted(network, memory.state, features, fresh)
    return Fork(
        advance(network, features, state, preview, memory.preview),
        advance(network, store.detector.forecaster.settle(expected.features), memory.state,
                preview, memory.preview),
    )


def going(memory: Memory | None, streams: int) -> Memory | None:
    """Keep the streams that have not ended: the first ones."""
    return None if memory is None else rows(memory, range(streams))


def walk(store: FeatureStore, step: Step, done: Done = ignore) -> None:
    """
    Step the streams of all clips, those of like length together.

    :param step: given the clips that go on, the index of their frame, what their streams remember
        (None before the first frame) and how far each is; returns both after the frame.
    """
    for group in groups(store, [(at, len(clip)) for at, clip in enumerate(store.clips)]):
        memory: Memory | None = None
        runs: Runs = [None] * len(group)
        for index in range(len(store.clips[group[0]])):
            active = [at for at in group if index < len(store.clips[at])]
            memory, runs = step(active, index, going(memory, len(active)), runs)
            done(len(active))
