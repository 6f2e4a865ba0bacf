"""What compiled networks of all families share."""

from __future__ import annotations

from typing import Any

from .library import Library


class Compiled:
    """
    A network whose work is done by compiled parts.

    What was not prepared runs in PyTorch, with the same answers.

    :ivar network: the network itself.
    """

    network: Any

    def __init__(self, network: Any, library: Library, input_size: tuple[int, int]) -> None:
        self.network, self.library, self._input_size = network, library, input_size

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the network has."""
        return getattr(self.network, name)
