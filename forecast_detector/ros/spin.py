"""How the executables of the package begin and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import sys
from typing import Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.node import Node

from .arguments import init, warn_of_unused_files


class Closable(Protocol):
    """A node with something to finish before it is destroyed."""

    def close(self) -> None:
        """Stop what runs beside the executor and finish what is written."""

    def destroy_node(self) -> None:
        """Leave the graph."""


class Done(Exception):
    """Raised in a callback of a node whose work is complete."""


class Failed(Exception):
    """Raised in a callback of a node that cannot go on; the text says why, for the user."""


@contextmanager
def ending_on_errors() -> Iterator[None]:
    """
    End the node with one line where its files or its data fail it; for parts of callbacks.

    :raises Failed: for a ValueError or an OSError.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        raise Failed(str(error)) from error


def spin(create: Callable[[], Closable], args: Sequence[str] | None = None) -> int:
    """
    Run one node until it is done, interrupted or shut down.

    :param create: makes the node; a ValueError, OSError or parameter error in it ends the process
        with one line, as :class:`Failed` does later. So does a command line, or a parameter file
        on it, that ROS does not take.
    :returns: exit status.
    """
    arguments = sys.argv if args is None else args
    try:
        try:
            init(arguments)
            node = create()
        except (ParameterException, ValueError, OSError) as error:
            return _fatal(error)
        if isinstance(node, Node):
            warn_of_unused_files(node, arguments)
        return _run(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except Exception:
        # A signal takes the context down at once, and what a callback was publishing then fails.
        if rclpy.ok():
            raise
        return 0
    finally:
        rclpy.try_shutdown()


def _run(node: Closable) -> int:
    """Spin a node to its end and destroy it; an error of another kind is not caught."""
    status = 0
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException, Done):
        pass
    except Failed as error:
        status = _fatal(error)
    finally:
        try:
            node.close()
        except OSError as error:  # the disk is full
            status = _fatal(error)
        finally:
            node.destroy_node()
    return status


def _fatal(error: Exception) -> int:
    get_logger('forecast_detector').fatal(str(error))
    return 1
