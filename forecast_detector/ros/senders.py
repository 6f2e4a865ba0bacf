"""Several publishers whose images mix on one topic, as two drivers with the same settings do."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from threading import Lock
from typing import Any

from .losses import publisher_of

# The last so many images are judged. A driver that takes another's place changes the publisher
# once; images of two that send at the same time change it again and again.
WINDOW, BEGINS = 20, 4


class Senders:
    """Who published a topic's last images; safe between threads."""

    def __init__(self) -> None:
        """Start with none seen."""
        self._seen: deque[bytes] = deque(maxlen=WINDOW)
        self._lock = Lock()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._seen.clear()

    def saw(self, info: Mapping[str, Any]) -> None:
        """
        Note one image.

        :param info: what the middleware says of it; some do not name the publisher.
        """
        with self._lock:
            self._seen.append(publisher_of(info))

    def trouble(self) -> str:
        """Say that images of several publishers mix, and what to do; '' where they do not."""
        with self._lock:
            seen = list(self._seen)
        if sum(a != b for a, b in pairwise(seen)) < BEGINS:
            return ''
        return (
            f'images of {len(set(seen))} publishers mix, and make no one stream: boxes of one '
            'camera are carried to pictures of another; give each camera a topic of its own'
        )
