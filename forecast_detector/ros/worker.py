"""The thread that steps the detector, so that the executor stays free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from ..types import Frame, StepFailure, StepResult
from .background import Background
from .camera import Waiting
from .mailbox import Mailbox


class Steps(Protocol):
    """What a worker steps: a detector, say."""

    def step(self, frames: Mapping[str, Frame]) -> dict[str, StepResult | StepFailure]:
        """Advance each named camera by one frame."""


class Worker(Background):
    """Takes waiting frames, steps all cameras that have one at once, hands results back."""

    name = 'detector'

    def __init__(
        self,
        detector: Steps,
        mailbox: Mailbox[Waiting],
        is_stale: Callable[[str, Waiting], bool],
        deliver: Callable[[str, Waiting, StepResult | StepFailure], None],
        fail: Callable[[Mapping[str, Waiting], Exception], None],
        put_aside: Callable[[str, Waiting], None],
    ) -> None:
        """
        Prepare; :meth:`start` begins.

        :param is_stale: whether a camera's frame is too old to be worth a step.
        :param deliver: given the camera, its frame and the outcome; called in the thread.
        :param fail: given the frames that a step or a delivery failed for; called in the thread.
        :param put_aside: given a frame that is large; it comes back when it is decoded.
        """
        super().__init__()
        self._detector = detector
        self._mailbox = mailbox
        self._is_stale = is_stale
        self._deliver = deliver
        self._fail = fail
        self._put_aside = put_aside

    def _open(self) -> None:
        self._mailbox.open()

    def _close(self) -> None:
        self._mailbox.close()

    def _run(self) -> None:
        # No name here holds a frame, or what it failed of, while the next one is waited for.
        while self._answer(self._mailbox.take()):
            pass

    def _answer(self, taken: Mapping[str, Waiting]) -> bool:
        """Step what was taken, and deliver; returns False where that is nothing, at the end."""
        fresh = self._fresh(taken)
        try:
            outcomes = self._step(fresh)
        except Exception as error:  # one failed step must not end the stream
            self._fail(fresh, error)
            return True
        for camera, outcome in outcomes.items():
            try:
                self._deliver(camera, fresh[camera], outcome)
            except Exception as error:  # nor cost the other cameras their answers
                self._fail({camera: fresh[camera]}, error)
        return bool(taken)

    def _fresh(self, taken: Mapping[str, Waiting]) -> dict[str, Waiting]:
        fresh = {}
        for camera, waiting in taken.items():
            if self._is_stale(camera, waiting):
                if counters := self._mailbox.counters.get(camera):
                    counters.count('stale')
            elif waiting.is_large:
                self._put_aside(camera, waiting)
            else:
                fresh[camera] = waiting
        return fresh

    def _step(self, fresh: Mapping[str, Waiting]) -> dict[str, StepResult | StepFailure]:
        frames = {camera: waiting.frame for camera, waiting in fresh.items()}
        return self._detector.step(frames) if frames else {}
