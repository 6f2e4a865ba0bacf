"""Where image callbacks leave frames and the worker takes them up."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition, Lock
from typing import Generic, TypeVar

T = TypeVar('T')


@dataclass
class Counters:
    """
    What became of the images of one camera.

    received = processed + dropped + stale + bad + those still waiting or in the step.

    :ivar received: taken from the middleware.
    :ivar processed: answered with detections and a decision.
    :ivar dropped: replaced by a newer image before their turn came, or left at a deactivation.
    :ivar stale: older than ``max_age_s`` when their turn came.
    :ivar bad: could not be used.
    :ivar lost: published, but never received; where the middleware numbers images.
    :ivar decoded: whose pixels were decoded; without a peek a FORECAST does not ask for them.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0
    stale: int = 0
    bad: int = 0
    decoded: int = 0
    lost: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def count(self, what: str, number: int = 1) -> None:
        """Add to one of the counters; safe between threads."""
        with self._lock:
            setattr(self, what, getattr(self, what) + number)


class Mailbox(Generic[T]):
    """
    Waiting frames of every camera; safe between threads.

    Live, a camera has one slot and a newer frame replaces the waiting one. Lossless, it has a
    queue, and whoever puts into a full one waits: the images behind it stay in the middleware,
    which keeps them all where publisher and subscription are reliable and keep all. Frames are
    then taken one by one, in the order that they came in: which cameras share a step would
    depend on timing, and results on that in their last digits.

    A frame that was taken may be held while it is prepared elsewhere: of its camera no other is
    taken meanwhile, as frames stay in order, and the other cameras go on.
    """

    def __init__(self, cameras: Sequence[str], lossless: bool = False, capacity: int = 8) -> None:
        """
        Start closed; :meth:`open` lets frames in.

        :param capacity: frames of a camera that may wait; live it is always one.
        """
        self._lossless = lossless
        self._capacity = capacity if lossless else 1
        self._waiting: dict[str, deque[T]] = {camera: deque() for camera in cameras}
        self._turns: deque[str] = deque()  # lossless: whose frame came first, and so on
        self._held: dict[str, T] = {}
        self._ready: dict[str, T] = {}
        self._changed = Condition()
        self._is_open = False
        self.counters = {camera: Counters() for camera in cameras}

    def add(self, camera: str) -> None:
        """Make room for a camera that came."""
        with self._changed:
            self._waiting[camera] = deque()
            self.counters[camera] = Counters()

    def remove(self, camera: str) -> None:
        """Drop what waits of a camera that goes, and let go whoever waits to put."""
        with self._changed:
            self._waiting.pop(camera).clear()
            self._turns = deque(name for name in self._turns if name != camera)
            del self.counters[camera]
            self._held.pop(camera, None)
            self._ready.pop(camera, None)
            self._changed.notify_all()

    def open(self) -> None:
        """Let frames in."""
        with self._changed:
            self._is_open = True

    def close(self) -> None:
        """Drop what waits and wake whoever waits."""
        with self._changed:
            self._is_open = False
            for camera, waiting in self._waiting.items():
                self.counters[camera].count('dropped', len(waiting))
                waiting.clear()
            for kept in (self._held, self._ready):
                for camera in kept:
                    self.counters[camera].count('dropped')
                kept.clear()
            self._turns.clear()
            self._changed.notify_all()

    def put(self, camera: str, item: T) -> None:
        """Leave a frame; in a lossless mailbox wait until there is room."""
        with self._changed:
            waiting = self._waiting.get(camera)
            if waiting is None:
                return  # the camera is gone
            if self._lossless:
                self._wait_for_room(waiting)
            if self._waiting.get(camera) is not waiting:
                return
            if not self._is_open:
                self.counters[camera].count('dropped')
                return
            if len(waiting) == self._capacity:
                waiting.popleft()
                self.counters[camera].count('dropped')
            waiting.append(item)
            if self._lossless:
                self._turns.append(camera)
            self._changed.notify_all()

    def _wait_for_room(self, waiting: deque[T]) -> None:
        self._changed.wait_for(lambda: len(waiting) < self._capacity or not self._is_open)

    def take(self) -> dict[str, T]:
        """
        Wait for frames and take the next one of each camera that has one; lossless, just one.

        :returns: camera to frame; empty once the mailbox is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._due() or not self._is_open)
            due = [self._turns.popleft()] if self._turns else self._due()
            taken = self._ready | {camera: self._waiting[camera].popleft() for camera in due}
            self._ready = {}
            self._changed.notify_all()
            return taken

    def _due(self) -> list[str]:
        return [
            camera for camera, waiting in self._waiting.items()
            if waiting and camera not in self._held and camera not in self._ready
        ]

    def hold(self, camera: str, item: T) -> bool:
        """
        Take no further frame of a camera until this one is released; not for lossless ones.

        :returns: False where the frame is dropped: the mailbox is closed, or the camera gone.
        """
        with self._changed:
            if self._is_open and camera in self._waiting:
                self._held[camera] = item
                return True
            if counters := self.counters.get(camera):
                counters.count('dropped')
            return False

    def is_held(self, camera: str, item: T) -> bool:
        """Say whether a frame is still wanted that was held."""
        with self._changed:
            return self._held.get(camera) is item

    def release(self, camera: str, item: T, ready: T) -> None:
        """Let a camera go on with what a held frame became; nothing where it was dropped."""
        with self._changed:
            if self._held.get(camera) is item:
                self._ready[camera] = ready
                del self._held[camera]
                self._changed.notify_all()
