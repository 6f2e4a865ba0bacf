"""Large pictures are decoded beside the steps, which would keep all other cameras waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from threading import Lock, Thread

import numpy as np
from numpy.typing import NDArray

from .camera import Waiting
from .mailbox import Mailbox


class LargePictures:
    """
    Decodes one picture at a time, in a thread that ends when there is none left.

    Nobody waits for the thread: what it decodes when the node stops is dropped. Decoders let
    others have the interpreter, so steps go on.
    """

    def __init__(self, mailbox: Mailbox[Waiting]) -> None:
        """
        Prepare.

        :param mailbox: holds the picture's camera meanwhile.
        """
        self._mailbox = mailbox
        self._due: deque[tuple[str, Waiting]] = deque()
        self._lock = Lock()
        self._is_working = False

    def put(self, camera: str, waiting: Waiting) -> None:
        """Decode a frame; its camera goes on with it."""
        if not self._mailbox.hold(camera, waiting):
            return
        with self._lock:
            self._due.append((camera, waiting))
            if not self._is_working:
                self._is_working = True
                Thread(target=self._run, name='large pictures', daemon=True).start()

    def _run(self) -> None:
        while self._decode_next():
            pass

    def _decode_next(self) -> bool:
        """Decode one; no name holds it afterwards. Returns False where none is left."""
        with self._lock:
            if not self._due:
                self._is_working = False
                return False
            camera, waiting = self._due.popleft()
        if self._mailbox.is_held(camera, waiting):
            frame = replace(waiting.frame, load=decoded(waiting.frame.load))
            ready = replace(waiting, frame=frame, is_large=False)
            self._mailbox.release(camera, waiting, ready)
        return True


def decoded(load: Callable[[], NDArray[np.uint8]]) -> Callable[[], NDArray[np.uint8]]:
    """
    Decode now.

    :returns: what gives the picture, or raises what decoding it raised: in the step, as for any
        other image.
    """
    try:
        image = load()
    except Exception as error:
        failure = error.with_traceback(None)  # which knows the decoder's arrays

        def fail() -> NDArray[np.uint8]:
            raise failure

        return fail
    return lambda: image
