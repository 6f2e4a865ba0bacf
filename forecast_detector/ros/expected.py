"""When a camera's next image is to be expected."""

from __future__ import annotations

from collections import deque
from statistics import median

WINDOW = 9


class NextStamp:
    """Goes by the distances of the stamps of the last images that were answered."""

    def __init__(self) -> None:
        """Start with none seen."""
        self._last_ns: int | None = None
        self._gaps_ns: deque[int] = deque(maxlen=WINDOW)

    def after(self, stamp_ns: int) -> int | None:
        """
        Say when the image after this one is expected.

        :returns: its stamp, nanoseconds; None while that cannot be known: at first, and where
            stamps stand still or went back.
        """
        last_ns, self._last_ns = self._last_ns, stamp_ns
        if last_ns is None:
            return None
        if stamp_ns <= last_ns:
            self._gaps_ns.clear()
            return None
        self._gaps_ns.append(stamp_ns - last_ns)
        return stamp_ns + round(median(self._gaps_ns))
