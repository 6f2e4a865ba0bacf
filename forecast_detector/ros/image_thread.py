"""The thread that takes images from the middleware, so that calls do not wait for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import get_ident, Lock
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from .background import Background
from .spin import take_turn
from .throttle import Throttle


class OneThread(MutuallyExclusiveCallbackGroup):
    """
    Callbacks of one thread: the executors of others pass them over.

    :ivar thread: its number; None while it does not run.
    """

    thread: int | None = None

    def can_execute(self, entity: Any) -> bool:
        """Say whether the thread that asks may run a callback now."""
        return get_ident() == self.thread and bool(super().can_execute(entity))


class ImageExecutor(SingleThreadedExecutor):
    """
    Runs the callbacks of one group of a node, and no others.

    The node stays with the executor that it was added to, which runs all the rest.
    """

    def __init__(self, node: Node, group: OneThread) -> None:
        """Prepare."""
        super().__init__(context=node.context)
        self._node, self._group = node, group

    def get_nodes(self) -> list[Node]:
        """List the node."""
        return [self._node]

    def can_execute(self, entity: Any) -> bool:
        """Say whether a callback is of the group, and may run now."""
        return entity.callback_group is self._group and bool(super().can_execute(entity))


class ImageThread(Background):
    """
    Runs the callbacks of image subscriptions, and whatever else touches these.

    An image callback and a call of a service run at the same time. What both need is safe between
    threads (mailbox, health), or is touched in this thread only: subscriptions, and the timers
    that follow the publishers. Others let that be done by :meth:`do`.

    :ivar group: of the subscriptions and timers.
    """

    name = 'images'

    def __init__(self, node: Node) -> None:
        """Prepare; :meth:`start` begins."""
        super().__init__()
        self.group = OneThread()
        self._node = node
        self._lock = Lock()
        self._is_open = False
        self._executor: ImageExecutor | None = None
        self._errands: deque[Callable[[], None]] = deque()

    def do(self, errand: Callable[[], None]) -> None:
        """
        Run something between two callbacks; return when it is done, or raise what it raises.

        Where the thread does not run, the caller does it.
        """
        done: Future[None] = Future()

        def run() -> None:
            try:
                errand()
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        with self._lock:
            executor = self._executor if self._is_open else None
            if executor:
                self._errands.append(run)
                executor.create_task(self._run_errands)
        if not executor:
            run()
        done.result()

    def _open(self) -> None:
        self._executor, self._is_open = ImageExecutor(self._node, self.group), True

    def _close(self) -> None:
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open and self._executor:
            self._executor.create_task(self._run_errands)  # a turn that ends; waking does not

    def _run(self) -> None:
        assert self._executor
        self.group.thread, throttle = get_ident(), Throttle()
        try:
            while self._is_open and self._node.context.ok():
                take_turn(self._node, self._executor, throttle)
        except ExternalShutdownException:
            pass
        finally:
            self._close()  # also where the context has ended: the caller runs errands from now on
            self._run_errands()
            self.group.thread = None
            self._executor.shutdown()

    def _run_errands(self) -> None:
        while self._errands:
            self._errands.popleft()()
