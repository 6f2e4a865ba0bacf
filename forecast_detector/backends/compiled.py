"""What compiled networks of all families share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .library import Library


class Compiled:
    """
    A network whose work is done by compiled parts.

    What was not prepared runs in PyTorch, with the same answers.

    :ivar network: the network itself.
    """

    network: Any

    def __init__(self, network: Any, library: Library) -> None:
        self.network, self.library = network, library

    def prepare(self, size: tuple[int, int], batches: Sequence[int] = (1,)) -> None:
        """
        Compile for what will come. May be called while other threads step.

        :param size: (height, width) of the network's input, multiples of 32.
        :param batches: how many frames a call takes.
        """
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the network has."""
        return getattr(self.network, name)
