"""How the convolutions of a network follow on each other, whatever lies between them."""

from __future__ import annotations

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
    :ivar outputs: numbers of the nodes that give the outputs, in order.
    """

    nodes: Sequence[Node]
    outputs: Sequence[int]

    def listed(self) -> list[int]:
        """Give the convolutions in the order of the list."""
        return [k for k, node in enumerate(self.nodes) if node.convolution is not None]

    def connected(self) -> list[int]:
        """
        Give the convolutions in an order that follows from how they are connected alone.

        Each stands behind those that it needs, and these in the order of the inputs.
        """
        order, seen = [], set()
        waiting = [(k, False) for k in reversed(self.outputs)]
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
        """Give the convolutions that no other convolution follows on."""
        leads = [False] * len(self.nodes)
        for number in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[number]
            for k in node.inputs:
                leads[k] |= leads[number] or node.convolution is not None
        return [k for k in self.listed() if not leads[k]]

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
