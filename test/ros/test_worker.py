"""The worker between mailbox and detector: one camera's trouble is not another's."""

from __future__ import annotations

import gc
from threading import Event
from types import SimpleNamespace
from typing import Any
import weakref

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from forecast_detector.ros import throttle  # noqa: E402
from forecast_detector.ros.worker import Worker  # noqa: E402


class Waiting:
    """A frame that can be watched."""

    is_large = False

    def __init__(self, frame: int) -> None:
        self.frame = frame


class Mailbox:
    """Gives a frame of each of two cameras, round by round, then nothing."""

    def __init__(self, rounds: int) -> None:
        self.rounds, self.done = rounds, Event()

    def open(self) -> None:
        pass

    def close(self) -> None:
        assert self.done.wait(10)

    def take(self) -> dict[str, Any]:
        self.rounds -= 1
        if self.rounds < 0:
            self.done.set()
            return {}
        return {camera: Waiting(frame=self.rounds) for camera in ('a', 'b')}


def run(
    step: Any, deliver: Any, rounds: int, make_mailbox: type[Mailbox] = Mailbox
) -> list[tuple]:
    """Let a worker finish these rounds; list its failures: cameras, and what was said."""
    failures: list[tuple] = []
    mailbox: Any = make_mailbox(rounds)
    worker = Worker(
        SimpleNamespace(step=step),  # type: ignore[arg-type]
        mailbox,
        lambda camera, waiting: False,
        deliver,
        lambda taken, error: failures.append((*taken, str(error))),
        lambda camera, waiting: None,
    )
    worker.start()
    worker.stop()
    return failures


def test_what_fails_for_one_camera_is_delivered_for_the_other() -> None:
    delivered = []

    def deliver(camera: str, waiting: Any, outcome: Any) -> None:
        if camera == 'a':
            raise ValueError('not published')
        delivered.append((camera, outcome))

    failures = run(lambda frames: frames, deliver, 2)
    assert delivered == [('b', 1), ('b', 0)]
    assert failures == [('a', 'not published')] * 2


def test_no_frame_is_held_while_the_next_one_is_waited_for() -> None:
    """Nor by the error of one that failed, whose traceback knows the decoder's arrays."""
    alive: list[weakref.ref[Any]] = []

    class Watched(Mailbox):
        def take(self) -> dict[str, Any]:
            gc.collect()
            assert [ref() for ref in alive] == [None] * len(alive)
            frames = super().take()
            alive.extend(weakref.ref(one) for one in frames.values())
            return frames

    def step(frames: dict[str, int]) -> dict[str, int]:
        if frames['a'] == 1:
            raise ValueError('damaged')
        return frames

    assert len(run(step, lambda *answer: None, 3, Watched)) == 1 and len(alive) == 6


def test_a_failed_step_is_named_for_all_and_the_next_one_is_taken() -> None:
    delivered = []

    def step(frames: dict[str, int]) -> dict[str, int]:
        if frames['a'] == 1:
            raise RuntimeError('no memory')
        return frames

    failures = run(step, lambda camera, *_: delivered.append(camera), 2)
    assert failures == [('a', 'b', 'no memory')]
    assert delivered == ['a', 'b']


def test_the_first_message_is_due_and_then_one_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(throttle, 'time', SimpleNamespace(monotonic=lambda: now_s[0]))
    subject = throttle.Throttle()
    assert [subject.due() for _ in range(4)] == ['', None, None, None]
    now_s[0] = throttle.REPEAT_S
    assert subject.due() == ' (3 more since the last such message)'
