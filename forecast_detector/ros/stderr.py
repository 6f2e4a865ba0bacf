"""
Standard error of a node: what libraries write there is escaped, cut and throttled.

libjpeg, libpng and the middleware write a line for every image that they stumble over, past all
logging. Their lines go through a pipe, as do those of the log, which are escaped and go on.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
import faulthandler
import fcntl
import os
import re
from threading import Thread

from ..ends import speak_on
from ..legible import legible, LINE_LETTERS
from .throttle import Throttle

# A line of ROS's log, as it is laid out unless the user wants it otherwise.
LOGGED = re.compile(r'\[(DEBUG|INFO|WARN|ERROR|FATAL)\] \[[\d.]+\] \[[^\]]{1,300}\]: ')
COLOURED = re.compile(r'((?:\x1b\[\d*m)?)(.*?)((?:\x1b\[0?m)?)', re.DOTALL)
LOG_LETTERS = 4000
# Kinds of lines that are told apart, and how long one without an end may get.
KINDS, LONGEST = 64, 1 << 16
PIPE_BYTES = 1 << 20


class Lines:
    """Decides which lines are written, and how."""

    def __init__(self) -> None:
        """Start with none seen."""
        self._kinds: OrderedDict[str, Throttle] = OrderedDict()

    def take(self, line: str) -> str | None:
        """
        Take a line.

        :returns: what is to be written for it; None for nothing.
        """
        found = COLOURED.fullmatch(line)
        before, text, after = found.groups() if found else ('', line, '')
        if LOGGED.match(text):
            return f'{before}{legible(text, LOG_LETTERS)}{after}'
        more = self._throttle(re.sub(r'(0x)?[\da-fA-F]*\d[\da-fA-F]*', '#', text[:200])).due()
        return None if more is None else f'{legible(text, LINE_LETTERS)}{more}'

    def _throttle(self, kind: str) -> Throttle:
        """Find what throttles lines of a kind; where there are too many kinds, of all others."""
        if kind not in self._kinds and len(self._kinds) >= KINDS:
            kind = ''
        return self._kinds.setdefault(kind, Throttle())


class Filter:
    """Stands between the process and its standard error, in a ``with`` statement."""

    def __enter__(self) -> Filter:
        """Begin."""
        self._real = os.dup(2)
        self._lines, (self._source, sink) = Lines(), os.pipe()
        with suppress(OSError, AttributeError):
            fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        # Who writes may hold what the reader waits for: lines of a flood are lost, not waited for.
        os.set_blocking(sink, False)
        os.dup2(sink, 2)
        os.close(sink)
        if os.isatty(self._real):
            os.environ.setdefault('RCUTILS_COLORIZED_OUTPUT', '1')
        faulthandler.enable(self._real)  # a crash does not wait for the reader
        speak_on(self._real)
        self._thread = Thread(target=self._read, name='stderr', daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, and end."""
        faulthandler.disable()
        speak_on(2)
        os.dup2(self._real, 2)  # the last end of the pipe that is written to: the reader ends
        self._thread.join(1.0)

    def _read(self) -> None:
        rest = b''
        while block := os.read(self._source, LONGEST):
            *lines, rest = (rest + block).split(b'\n')
            if len(rest) > LONGEST:
                lines, rest = [*lines, rest], b''
            self._write(lines)
        self._write([rest] if rest else [])

    def _write(self, lines: list[bytes]) -> None:
        taken = (self._lines.take(line.decode(errors='replace')) for line in lines)
        text = ''.join(f'{line}\n' for line in taken if line is not None)
        data = text.encode(errors='backslashreplace')
        with suppress(OSError):
            while data:
                data = data[os.write(self._real, data):]
