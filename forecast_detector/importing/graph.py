"""How the convolutions of a network follow on each other, whatever lies between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Convolution:
    """
    What tells a convolution from others but for its weights.

    :ivar name: of its module, or of its weights.
    :ivar shape: of its weights, (out, in / groups, height, width).
    :ivar geometry: stride, padding on every side, groups; as text.
    :ivar activation: what is made of its outputs, by name.
    """

    name: str
    shape: tuple[int, ...]
    geometry: str
    activation: str = 'SiLU'


@dataclass(frozen=True)
class Node:
    """
    One operation.

    :ivar inputs: numbers of the nodes that it works on, in order; weights are none.
    :ivar adds: whether the order of its inputs makes no difference.
    """

    inputs: tuple[int, ...]
    convolution: Convolution | None = None
    adds: bool = False


@dataclass(frozen=True)
class Graph:
    """
    A network.

    :ivar nodes: each behind its inputs.
    """

    nodes: Sequence[Node]

    def listed(self) -> list[int]:
        """Give the convolutions in the order of the list."""
        return [k for k, node in enumerate(self.nodes) if node.convolution is not None]

    def connected(self) -> list[int]:
        """
        Give the convolutions in an order that follows from how they are connected alone.

        Each stands behind those that it needs, and these in the order of the inputs.
        """
        order, seen = [], set()
        waiting = [(k, False) for k in reversed(self.ends())]
        while waiting:
            number, done = waiting.pop()
            node = self.nodes[number]
            if done and node.convolution is not None:
                order.append(number)
            if done or number in seen:
                continue
            seen.add(number)
            waiting.append((number, True))
            waiting += [(k, False) for k in reversed(node.inputs)]
        return order

    def ends(self) -> list[int]:
        """
        Give the convolutions that no other convolution follows on.

        Their order follows from how they are connected: first that which needs the fewest
        others; then those that share what they work on; then that with more channels.
        """
        needed = self._needed()
        followed = set().union(*(needed[k] - {k} for k in self.listed()))
        found = [k for k in self.listed() if k not in followed]
        shared = Counter(self.nodes[k].inputs for k in found)

        def place(number: int) -> tuple[int, int, int]:
            node = self.nodes[number]
            channels = node.convolution.shape[0] if node.convolution else 0
            return len(needed[number]), -shared[node.inputs], -channels

        return sorted(found, key=place)

    def _needed(self) -> list[frozenset[int]]:
        """Give the convolutions that each node needs, itself included."""
        needed: list[frozenset[int]] = []
        for number, node in enumerate(self.nodes):
            own = frozenset([number] if node.convolution is not None else [])
            needed.append(own.union(*(needed[k] for k in node.inputs)))
        return needed

    def sources(self, order: Sequence[int]) -> list[Hashable]:
        """
        Describe what every convolution works on.

        :param order: convolutions are described by their place in it; all are in it.
        :returns: for each, in the same order: a place, a tuple of such (one map beside the
            other), a set (their sum), nested; None is the image.
        """
        places = {number: place for place, number in enumerate(order)}
        own: list[Hashable] = []
        given: dict[int, Hashable] = {}
        for number, node in enumerate(self.nodes):
            parts = list(dict.fromkeys(own[k] for k in node.inputs))
            parts = [part for part in parts if part is not None]
            made: Hashable = None
            if len(parts) == 1:
                made = parts[0]
            elif parts:
                made = frozenset(parts) if node.adds else tuple(parts)
            if node.convolution is not None:
                given[number] = made
                made = places.get(number)
            own.append(made)
        return [given[number] for number in order]
