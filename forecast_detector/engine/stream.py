"""Streams by name: what each remembers between frames, and what was asked of it meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import Tensor

from ..boxes import Geometry
from ..kept import Kept
from ..tracking import Tracker
from ..types import Policy
from .memory import Memory
from .rules import SinceRead


@dataclass(frozen=True)
class Past:
    """
    What a stream remembers between frames; gone after a reset. A step replaces it whole.

    :ivar memory: of the network, a batch of one.
    :ivar since_read: of the rules.
    :ivar geometry: how the image that was decoded last lies in the network's input.
    :ivar policy: of the last frame.
    :ivar kept: the boxes of the last READ, where they are the answer or forecasts are blended with
        them; in pixels of the network's input where its motion carries them, else of the image.
    :ivar surprise: what of the last frame the forecast does not explain, if that is known.
    """

    memory: Memory
    since_read: SinceRead
    geometry: Geometry
    policy: Policy
    kept: Kept | None = None
    surprise: Tensor | None = None


@dataclass
class Stream:
    """
    One stream.

    :ivar past: None before its first frame.
    :ivar resets: those asked for since the last good frame, in words.
    :ivar read: who asked for a READ since then; None where nobody did.
    :ivar tracker: numbers its objects, where that is asked for; it outlives resets.
    """

    past: Past | None = None
    resets: list[str] = field(default_factory=list)
    read: str | None = None
    tracker: Tracker = field(default_factory=Tracker)


class Streams(dict[str, Stream]):
    """All streams by name; one comes into being with its first frame."""

    def __missing__(self, name: str) -> Stream:
        """Begin a stream."""
        self[name] = stream = Stream()
        return stream

    def named(self, name: str | None) -> Iterable[Stream]:
        """Give the stream of a name if there is one, or all (None)."""
        if name is None:
            return list(self.values())
        return [self[name]] if name in self else []

    def past(self, name: str) -> Past | None:
        """Give what a stream remembers; None before its first frame."""
        stream = self.get(name)
        return stream.past if stream else None
