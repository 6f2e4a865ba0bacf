"""How commands that run a graph show what goes on."""

from __future__ import annotations

import shutil
import sys
import time

PLAIN_PERIOD_S = 5.0


class LiveLine:
    """One line on a terminal that is written over; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._said_s = -PLAIN_PERIOD_S

    def say(self, text: str) -> None:
        """Show a text."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write('\r' + text[:width].ljust(width))
        elif time.monotonic() - self._said_s >= PLAIN_PERIOD_S:
            self._said_s = time.monotonic()
            sys.stderr.write(text + '\n')
        sys.stderr.flush()

    def note(self, text: str) -> None:
        """Show a text that stays."""
        self.end()
        sys.stderr.write(text + '\n')

    def end(self) -> None:
        """Leave the line."""
        if self._is_terminal:
            sys.stderr.write('\n')
