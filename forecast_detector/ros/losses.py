"""Images that were published and never came: the middleware counts what a publisher sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from threading import Lock
from typing import Any

# The last so many images are judged, once there are a few: ten seconds of 30 Hz, so that bursts
# which come every few seconds are one trouble.
WINDOW, FEW = 300, 20
# The trouble begins at the first share of lost images and ends below the second.
BEGINS, ENDS = 0.2, 0.1
# A number that is so far behind is of a publisher that began anew, and not of a repeated image.
BEHIND = 10
# Whoever restarts a driver again and again is not remembered for ever.
PUBLISHERS = 16
NUMBER, PUBLISHER = 'publication_sequence_number', 'publisher_gid'


def publisher_of(info: Mapping[str, Any]) -> bytes:
    """Say who published an image, by what the middleware says of it; b'' where it does not."""
    return bytes((info.get(PUBLISHER) or {}).get('data', b''))


class Losses:
    """Gaps in the numbers of a topic's last images; safe between threads."""

    def __init__(self) -> None:
        """Start with none seen."""
        self._newest: dict[bytes, int] = {}
        self._missing: deque[int] = deque(maxlen=WINDOW)
        self._lock = Lock()
        self._is_trouble = False

    def clear(self) -> None:
        """Forget all: what is sent while nobody subscribes is not lost."""
        with self._lock:
            self._newest.clear()
            self._missing.clear()

    def saw(self, info: Mapping[str, Any]) -> int:
        """
        Note one image.

        :param info: what the middleware says of it; some do not number images.
        :returns: how many of the same publisher were sent since the one before, and did not come.
        """
        number = info.get(NUMBER)
        if not number:
            return 0
        publisher = publisher_of(info)
        with self._lock:
            newest = self._newest.pop(publisher, number - 1)
            if number < newest - BEHIND:
                newest = number - 1
            self._newest[publisher] = max(newest, number)
            if len(self._newest) > PUBLISHERS:
                del self._newest[next(iter(self._newest))]
            missing = max(0, number - newest - 1)
            self._missing.append(missing)
        return missing

    def trouble(self) -> str:
        """Say that many images are lost, and what to do; '' where few are."""
        with self._lock:
            seen, lost = len(self._missing), sum(self._missing)
        limit = ENDS if self._is_trouble else BEGINS
        self._is_trouble = seen >= FEW and lost >= limit * (seen + lost)
        if not self._is_trouble:
            return ''
        return (
            f'{lost} of the last {seen + lost} images were lost on their way to this node: the '
            "middleware's buffers are too small for them, or the machine has too much to do; see "
            'docs/node.md, images that get lost'
        )
