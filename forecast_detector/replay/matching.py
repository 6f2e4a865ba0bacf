"""Which image an answer is to, where a bag is played live; safe between threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
import time

PARTS = ('detections', 'decision')
# No more images than that wait for answers at one time.
NEAR = 100


@dataclass
class SentImage:
    """
    An image that was published.

    :ivar turn: how often the bag was played before.
    :ivar sent_s: monotonic seconds.
    :ivar heard: the answers to it so far, serialized, by part.
    """

    topic: str
    turn: int
    index: int
    log_ns: int
    stamp_ns: int
    sent_s: float = field(default_factory=time.monotonic)
    heard: dict[str, bytes] = field(default_factory=dict)


def stands_still(stamps_ns: Sequence[int]) -> bool:
    """Whether images that may wait for answers at one time have one stamp."""
    last: dict[int, int] = {}
    for index, stamp in enumerate(stamps_ns):
        if index - last.get(stamp, index - NEAR) < NEAR:
            return True
        last[stamp] = index
    return False


class Matcher:
    """
    Joins images and answers by stamp.

    A topic keeps its order. So an answer is to the first waiting image with its stamp, whatever
    stamps a loop repeats, and what was sent before an answered image will not be answered. Where
    images that wait at one time have one stamp, answers can be kept apart only if none is lost:
    see :func:`stands_still`.
    """

    def __init__(self, topics: Sequence[str]) -> None:
        """
        Start with nothing sent.

        :param topics: image topics.
        """
        self._waiting: dict[str, deque[SentImage]] = {topic: deque() for topic in topics}
        self._passed = dict.fromkeys(topics, 0)
        self._lost = dict.fromkeys(topics, 0)
        self._lock = Lock()
        self.sent = dict.fromkeys(topics, 0)
        self.answered = dict.fromkeys(topics, 0)

    def send(self, shot: SentImage) -> None:
        """Note an image, before it is published."""
        with self._lock:
            self._waiting[shot.topic].append(shot)
            self.sent[shot.topic] += 1

    def hear(self, topic: str, part: str, stamp_ns: int, data: bytes) -> SentImage | None:
        """
        Note an answer.

        :param part: one of :data:`PARTS`.
        :returns: the image, if it has both answers now.
        """
        with self._lock:
            waiting = self._waiting[topic]
            shot = next(
                (s for s in waiting if s.stamp_ns == stamp_ns and part not in s.heard), None
            )
            if shot is None:
                return None
            shot.heard[part] = data
            if len(shot.heard) < len(PARTS):
                return None
            while waiting.popleft() is not shot:
                self._passed[topic] += 1
            self.answered[topic] += 1
            return shot

    def lose(self, topic: str, number: int) -> None:
        """
        Note how many images of a topic will not be answered, as the node's counters tell.

        :param number: of all turns so far.
        """
        with self._lock:
            self._lost[topic] = number
            waiting = self._waiting[topic]
            if waiting and number - self._passed[topic] >= len(waiting):
                # All that wait are lost: the next answer is to none of them.
                self._passed[topic] += len(waiting)
                waiting.clear()

    def open(self, topic: str) -> int:
        """Count the images that an answer may still come to."""
        with self._lock:
            known = max(0, self._lost[topic] - self._passed[topic])
            return max(0, len(self._waiting[topic]) - known)

    def unaccounted(self, topic: str) -> int:
        """Count the images that neither an answer nor the node's counters tell of."""
        with self._lock:
            return max(0, self.sent[topic] - self.answered[topic] - self._lost[topic])
