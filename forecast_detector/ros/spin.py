"""How the executables of the package begin and end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import sys
import traceback
from typing import Protocol
import warnings

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.logging import get_logger
from rclpy.node import Node

from ..ends import signalled, work
from ..legible import line
from .arguments import init, plain, warn_of_unused_files
from .guard import guard_services
from .stderr import Filter
from .throttle import Throttle

RCLError = rclpy_implementation.RCLError


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


def spin(
    create: Callable[[], Closable], args: Sequence[str] | None = None, lasts: bool = False,
    patience_s: float | None = None,
) -> int:
    """
    Run one node until it is done, interrupted or shut down.

    :param create: makes the node; a ValueError, OSError or parameter error in it ends the process
        with one line, as :class:`Failed` does later. So does a command line, or a parameter file
        on it, that ROS does not take.
    :param lasts: whether a fault in a callback is logged, and the node goes on.
    :param patience_s: how long it may take to finish after a signal; None is as long as it does.
    :returns: exit status.
    """
    arguments = sys.argv if args is None else args
    work(patience_s)
    with Filter():
        return _spin(create, arguments, lasts)


def _spin(create: Callable[[], Closable], arguments: Sequence[str], lasts: bool) -> int:
    try:
        try:
            init(arguments)
            node = _joined(create)
        except (ParameterException, ValueError, OSError) as error:
            return _fatal(error)
        if isinstance(node, Node):
            guard_services(node)
            warn_of_unused_files(node, arguments)
        return _run(node, lasts)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except Exception:
        # A signal takes the context down at once, and what a callback was publishing then fails.
        if rclpy.ok() and not signalled():
            raise
        return 0
    finally:
        rclpy.try_shutdown()


def _joined(create: Callable[[], Closable]) -> Closable:
    """
    Make a node.

    :raises ValueError: if the middleware does not let it into the graph: its security, say.
    """
    try:
        with warnings.catch_warnings():  # of what is taken apart then
            warnings.filterwarnings('ignore', 'Failed to fini')
            return create()
    except RCLError as error:
        if signalled() or not rclpy.ok():
            raise
        raise ValueError(f'cannot join the ROS graph: {plain(str(error))}') from error


def _run(node: Closable, lasts: bool) -> int:
    """Spin a node to its end and destroy it; an error of another kind is not caught."""
    status = 0
    try:
        if lasts and isinstance(node, Node):
            _spin_on(node)
        else:
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


def _spin_on(node: Node) -> None:
    """Spin whatever callbacks raise: what others send must not end a node."""
    executor, throttle = rclpy.get_global_executor(), Throttle()
    executor.add_node(node)
    try:
        while rclpy.ok():
            take_turn(node, executor, throttle)
    finally:
        executor.remove_node(node)


def take_turn(node: Node, executor: Executor, throttle: Throttle) -> None:
    """
    Run the next callback; what it raises is logged, but for what ends the node.

    :param throttle: of the log.
    """
    try:
        executor.spin_once()
    except (Done, Failed, ExternalShutdownException):
        raise
    except Exception as error:
        more = throttle.due()
        if node.context.ok() and more is not None:
            trace = ''.join(traceback.format_exception(error))
            node.get_logger().error(f'a callback failed{more}, the node goes on:\n{trace}')


def _fatal(error: Exception) -> int:
    get_logger('forecast_detector').fatal(line(error))
    return 1
