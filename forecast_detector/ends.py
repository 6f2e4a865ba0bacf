"""
How a process ends at a signal: with one line, and with the status that tells of it.

While it starts, at once. Once it works, the first signal interrupts it, and what it holds is
finished; a second one, or too long a finish, ends it as it is. Nothing is imported here that
takes time: a signal may come at any moment.
"""

from __future__ import annotations

import atexit
from contextlib import suppress
import os
import signal
import sys
from threading import Thread
import time
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A terminal and what started a process may both send one signal: those are one.
SAME_S = 1.0


class _State:
    """Of this process: what it is called, and the first signal since it works."""

    name = ''
    signum = 0
    came_s = 0.0
    patience_s: float | None = None
    stderr = 2


def speak_on(descriptor: int) -> None:
    """Write lines there from now on, instead of to standard error."""
    _State.stderr = descriptor


def begin(name: str) -> None:
    """
    End at once at a signal, from now on.

    Those that are ignored, as in the background of a shell, stay so.

    :param name: of the executable, for the line.
    """
    _State.name, _State.signum = name, 0
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _at_once)


def work(patience_s: float | None = None, signals: tuple[signal.Signals, ...] = SIGNALS) -> None:
    """
    Interrupt the work at a signal, from now on; nothing where there was no :func:`begin`.

    :param patience_s: how long finishing may take; None is as long as it does.
    :param signals: others end the process as the system has it.
    """
    if not _State.name:
        return
    _State.patience_s = patience_s
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt if number in signals else signal.SIG_DFL)


def done(status: int) -> int:
    """
    Let no signal end the process any more, whose own end is near.

    Python would go back to what the system does at a signal while it takes itself apart.

    :returns: the status.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return status


def leave(status: int) -> NoReturn:
    """
    End now that all is finished; what libraries do at the end is done.

    Taking the interpreter apart takes a second with PyTorch in it, and its threads may abort then.
    """
    done(status)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def signalled() -> int:
    """Give the signal that interrupted the work; 0 for none."""
    return _State.signum


def _at_once(signum: int, _frame: FrameType | None = None, when: str = 'while it started') -> None:
    text = f'{_State.name}: ended by {signal.Signals(signum).name} {when}\n'
    os.write(_State.stderr, text.encode())
    os._exit(128 + signum)


def _interrupt(signum: int, _frame: FrameType | None) -> None:
    if not _State.signum:
        _State.signum, _State.came_s = signum, time.monotonic()
        if _State.patience_s is not None:
            Thread(target=_wait, args=(_State.patience_s,), daemon=True).start()
        raise KeyboardInterrupt
    if time.monotonic() - _State.came_s > SAME_S:
        _at_once(signum, when='before it had finished')


def _wait(patience_s: float) -> None:
    time.sleep(patience_s)
    _at_once(_State.signum, when=f'after {patience_s:g} s of finishing')
