"""Which of many equal log messages are due."""

from __future__ import annotations

import time

REPEAT_S = 5.0


class Throttle:
    """Lets the first message through, then one every few seconds, and counts the others."""

    def __init__(self) -> None:
        """Start with nothing said."""
        self._said_s = -REPEAT_S
        self._untold = 0

    def due(self) -> str | None:
        """
        Ask for a message.

        :returns: None where it is not due; otherwise what is to be added to it: the number of
            those left out since the last one, or nothing.
        """
        now_s = time.monotonic()
        if now_s - self._said_s < REPEAT_S:
            self._untold += 1
            return None
        more = f' ({self._untold} more since the last such message)' if self._untold else ''
        self._said_s, self._untold = now_s, 0
        return more
