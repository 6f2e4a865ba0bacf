"""Services that act on all cameras, and the same for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

# Does it, for the one camera or all (None); returns what is done. Raises RuntimeError where that
# cannot be.
Act = Callable[[str | None], str]


class Services:
    """``PREFIX/NAME`` of every action, ``std_srvs/Trigger``; for one camera, or for all."""

    def __init__(
        self, node: Node, prefix: str, actions: Mapping[str, Act], camera: str | None = None
    ) -> None:
        """Create them."""
        self._node = node
        self._services = [
            node.create_service(Trigger, f'{prefix}/{name}', partial(_answer, act, camera))
            for name, act in actions.items()
        ]

    def destroy(self) -> None:
        """Take them out of the graph."""
        for service in self._services:
            self._node.destroy_service(service)
        self._services = []


def _answer(act: Act, camera: str | None, _request: Any, response: Any) -> Any:
    try:
        response.message = act(camera)
        response.success = True
    except RuntimeError as error:
        response.success, response.message = False, str(error)
    return response
