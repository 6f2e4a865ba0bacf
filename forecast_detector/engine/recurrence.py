"""
The paper's step (sections 3.1 and 3.2), once, in its order, for a batch of streams.

    expected   = expect(Fc and Ft of the frame before, thumbnail)     F, if it is a FORECAST
    c          = confidence(expected)                                 FORECAST if c > p
    F          = READ ? read(image) : settle(expected.features)
    memory     = advance(F)                                           Fc, Ft, state
    detections = head(Fm), Fm = mean of F and Ft

The paper asks the scheduler at the end of a step for the next frame. Here it is asked as that
frame begins: it is the same question, and a network that peeks has its thumbnail by then.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from . import memory as rows_of
from .memory import Maps, Memory
from .network import Network


class Expected(NamedTuple):
    """
    What is known of a frame before it is read; the scheduler's inputs.

    :ivar features: what :meth:`Forecaster.settle` makes F of, should it be a FORECAST.
    :ivar converted: Ft of the frame before.
    :ivar surprise: what of the thumbnail the forecast does not explain; None without a peek.
    """

    features: Maps
    converted: Maps
    surprise: Maps = None


class Forecaster(Protocol):
    """
    A way to get F of a frame that is not read.

    :ivar reduction: as :attr:`~.network.Network.reduction`; 0 needs no thumbnail.
    :ivar moves: as :attr:`~.network.Network.moves`.
    """

    reduction: int
    moves: bool

    def expect(self, memory: Memory, preview: Maps = None) -> Expected:
        """Say what is known of the next frame before it is read."""

    def settle(self, features: Maps) -> Maps:
        """Give F of a frame that is a FORECAST."""

    def rest(self, features: Maps) -> Maps:
        """Give what a FORECAST leaves behind that boxes are carried to."""

    def motion(self, features: Maps) -> Tensor:
        """Say how the picture moved, where it moves: :meth:`~.network.Network.motion`."""

    def grey(self, preview: Maps) -> tuple[Tensor, Tensor]:
        """Give the picture that this is measured on: :meth:`~.network.Network.grey`."""

    def confidence(self, expected: Expected) -> Tensor:
        """Give the confidence that it serves, (B,), in [0, 1]; NaN where there is none."""

    def anticipate(self, memory: Memory) -> Maps:
        """Give F of the next frame before anything is seen of it."""


class LearnedForecast:
    """The paper's: Fc, corrected by a peek where the network has one, judged by the scheduler."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.reduction, self.moves = network.reduction, network.moves

    def expect(self, memory: Memory, preview: Maps = None) -> Expected:
        """
        Say what is known of the next frame before it is read.

        :param preview: features of that frame's thumbnail, where the network peeks.
        """
        if preview is None:
            return Expected(memory.forecast, memory.converted)
        features, surprise = self.network.correct(memory.forecast, preview, memory.preview)
        return Expected(features, memory.converted, surprise)

    def settle(self, features: Maps) -> Maps:
        """Give F of a frame that is a FORECAST."""
        return self.network.settle(features)

    def rest(self, features: Maps) -> Maps:
        """Give what a FORECAST leaves behind that boxes are carried to."""
        return self.network.rest(features)

    def motion(self, features: Maps) -> Tensor:
        """Say how the picture moved since the frame before."""
        return self.network.motion(features)

    def grey(self, preview: Maps) -> tuple[Tensor, Tensor]:
        """Give the picture that this is measured on."""
        return self.network.grey(preview)

    def confidence(self, expected: Expected) -> Tensor:
        """Give the scheduler's softmax of FORECAST, (B,); 0 for a network without forecasts."""
        if not self.network.forecasts:
            like = rows_of.first_tensor(expected.features)
            return like.new_zeros(len(like))
        return torch.softmax(schedule(self.network, expected), dim=1)[:, 1]

    def anticipate(self, memory: Memory) -> Maps:
        """Give Fc, moved on as the picture last moved where the network peeks."""
        if memory.preview is None:
            return memory.forecast
        return self.network.extrapolate(memory.forecast, memory.preview, memory.previous)


class CopiedForecast:
    """A baseline: F of the last READ serves as it is. Nobody judges it."""

    reduction, moves = 0, False

    def expect(self, memory: Memory, preview: Maps = None) -> Expected:
        """Give F of the last frame."""
        return Expected(memory.features, memory.converted)

    def settle(self, features: Maps) -> Maps:
        """Give F of the last frame."""
        return features

    def rest(self, features: Maps) -> Maps:
        """Give F of the last frame."""
        return features

    def motion(self, features: Maps) -> Tensor:
        """Refuse: a copy does not move."""
        raise NotImplementedError

    def grey(self, preview: Maps) -> tuple[Tensor, Tensor]:
        """Refuse likewise."""
        raise NotImplementedError

    def confidence(self, expected: Expected) -> Tensor:
        """Give NaN: there is no confidence in a copy."""
        like = rows_of.first_tensor(expected.features)
        return like.new_full((len(like),), torch.nan)

    def anticipate(self, memory: Memory) -> Maps:
        """Give F of the last frame."""
        return memory.features


def schedule(network: Network, expected: Expected, detached: bool = False) -> Tensor:
    """
    Ask the scheduler; returns its logits, (B, 2).

    :param detached: whether it must not bend the features to its liking.
    """
    features, converted = seen = expected.features, expected.converted
    # Pictures among them stay bytes. Most are single already: making the tree anew takes longer.
    if any(_is_other_float(one) for one in rows_of.leaves(seen)):
        features, converted = rows_of.tree_map(
            lambda one: one.float() if _is_other_float(one) else one, seen)
    if detached:
        features, converted = rows_of.detach((features, converted))
    # Its correlation is a sum of small differences, too coarse in 16 bits.
    with torch.autocast(rows_of.first_tensor(features).device.type, enabled=False):
        return network.schedule(features, converted, expected.surprise)


def _is_other_float(one: Tensor) -> bool:
    return one.is_floating_point() and one.dtype != torch.float32


def advance(
    network: Network, features: Maps, state: Any = None, preview: Maps = None,
    previous: Maps = None,
) -> Memory:
    """
    Step every stream by one frame: Fc, Ft, state = encoders(F, state).

    :param features: F of the frame, read or forecast.
    :param state: None before the first frame.
    :param preview: features of the frame's thumbnail; ``previous``: of the frame before.
    """
    if state is None:
        state = network.zero_state(features)
    forecast, converted, state = network.encode(features, state)
    return Memory(
        features, forecast, converted, state, preview, preview if previous is None else previous
    )


def restarted(network: Network, state: Any, features: Maps, fresh: Any) -> Any:
    """
    Let some streams start from nothing.

    :param fresh: for each stream whether it does, (B,).
    """
    return rows_of.where(fresh, network.zero_state(features), state)


def seen(network: Network, memory: Memory) -> Maps:
    """Give what the detector sees of the last frame, Fm."""
    return network.combine(memory.features, memory.converted)
