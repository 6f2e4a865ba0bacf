"""A signal to stop is kept until the step is done and the state is saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import signal
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class InterruptedTraining(KeyboardInterrupt):
    """
    Raised when a signal stops a training.

    :ivar signum: the signal.
    """

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.signum = signum


class _Request:
    """What signals asked for, and whether a phase is there to answer."""

    signum: int | None = None
    deferred = False

    def arrive(self, signum: int, _frame: FrameType | None) -> None:
        """Note a signal; outside of a phase, or the second time, stop at once."""
        first, self.signum = self.signum is None, signum
        if not (self.deferred and first):
            raise InterruptedTraining(signum, f'stopped by {signal.Signals(signum).name}')


_request = _Request()


@contextmanager
def graceful() -> Iterator[None]:
    """
    Let SIGTERM and SIGINT stop a training between two steps, its state saved.

    A second signal stops it at once. For the main thread, as all of Python's signal handling.
    """
    _request.signum, _request.deferred = None, False
    before = {number: signal.signal(number, _request.arrive) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _request.signum, _request.deferred = None, False


def defer(on: bool) -> None:
    """Say whether a phase asks :func:`requested` after each step."""
    _request.deferred = on


def requested() -> int | None:
    """Return the signal that asked to stop, None if there was none."""
    return _request.signum


def stop_if_requested(when: str) -> None:
    """
    Stop where a phase does work that is repeated when it goes on.

    :param when: for the message.
    :raises InterruptedTraining: if a signal asked to stop.
    """
    signum = _request.signum
    if signum is not None:
        raise InterruptedTraining(
            signum, f'{signal.Signals(signum).name} {when}: the same command goes on from what '
            'is saved')
