"""Parameters that are fixed once a node runs: those of the demo's and the replay's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from .overrides import declare_all


def declare_fixed(node: Node, parameters: Mapping[str, tuple[Any, str]]) -> None:
    """
    Declare read-only parameters.

    :param parameters: name to default and description.
    :raises ValueError: for a value of another type than the default's.
    """
    declare_all(
        node,
        {
            name: (default, ParameterDescriptor(description=text, read_only=True))
            for name, (default, text) in parameters.items()
        },
    )
