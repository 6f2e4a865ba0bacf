"""How the executables of the package begin and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger


class Closable(Protocol):
    """A node with something to finish before it is destroyed."""

    def close(self) -> None:
        """Stop what runs beside the executor and finish what is written."""

    def destroy_node(self) -> None:
        """Leave the graph."""


class Done(Exception):
    """Raised in a callback of a node whose work is complete."""


def spin(create: Callable[[], Closable], args: Sequence[str] | None = None) -> int:
    """
    Run one node until it is done, interrupted or shut down.

    :param create: makes the node; a ValueError, OSError or parameter error in it ends the process
        with one line.
    :returns: exit status.
    """
    rclpy.init(args=list(args) if args is not None else None)
    node = None
    try:
        node = create()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException, Done):
        pass
    except (ParameterException, ValueError, OSError) as error:
        get_logger('forecast_detector').fatal(str(error))
        return 1
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
