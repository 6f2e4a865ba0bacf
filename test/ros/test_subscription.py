"""The hand-over between a best-effort and a reliable subscription, with a node that is a stub."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from rclpy.qos import ReliabilityPolicy  # noqa: E402

from forecast_detector.ros import subscription  # noqa: E402
from forecast_detector.ros.subscription import ImageSubscription  # noqa: E402
from forecast_detector.topics import camera_topics  # noqa: E402

from .graph import make_image  # noqa: E402

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


class Node:
    """What an image subscription needs of a node; keeps the subscriptions that live."""

    def __init__(self, reliability: ReliabilityPolicy) -> None:
        self.reliability = reliability
        self.subscriptions: list[Any] = []
        self.asked: list[str] = []
        self.follow: Callable[[], None] = lambda: None

    def has_parameter(self, name: str) -> bool:
        return False

    def declare_parameter(self, name: str, descriptor: Any) -> Any:
        return SimpleNamespace(value=None)

    def undeclare_parameter(self, name: str) -> None:
        pass

    def create_timer(self, period_s: float, callback: Callable[[], None], clock: Any) -> None:
        self.follow = callback

    def create_subscription(
        self, kind: type, topic: str, callback: Callable[[Any], None], qos: Any, **_: Any
    ) -> Any:
        self.subscriptions.append(SimpleNamespace(callback=callback, qos=qos))
        return self.subscriptions[-1]

    def destroy_subscription(self, entity: Any) -> None:
        self.subscriptions.remove(entity)

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        self.asked.append(topic)
        return [SimpleNamespace(qos_profile=SimpleNamespace(reliability=self.reliability))]


class Bench:
    """An image subscription in the middle of its hand-over from best effort to reliable."""

    def __init__(self) -> None:
        self.node = Node(RELIABLE)
        self.stamps: list[int] = []
        topics, = camera_topics(['image'], {'image': '/front/image_raw'}.__getitem__)
        node: Any = self.node
        self.subject = ImageSubscription(node, topics, False, self._take, lambda event: None)
        self.old, self.new = self.node.subscriptions

    def _take(self, message: Any) -> None:
        self.stamps.append(message.header.stamp.sec)


def bring(entity: Any, *seconds: int) -> None:
    """Let a subscription bring images with these stamps."""
    for second in seconds:
        entity.callback(make_image(second * 10**9))


def test_all_reliable_publishers_get_a_reliable_subscription_beside_the_first() -> None:
    bench = Bench()
    assert bench.old.qos.reliability == BEST_EFFORT
    assert bench.new.qos.reliability == RELIABLE
    bench.node.follow()
    assert bench.node.subscriptions == [bench.old, bench.new]  # nothing changed
    assert set(bench.node.asked) == {'image'}  # rclpy remaps it


def test_without_stamps_no_image_is_taken_for_another() -> None:
    bench = Bench()
    bring(bench.old, 0)
    bring(bench.new, *[0] * 9)
    assert len(bench.stamps) == 10
    assert bench.node.subscriptions == [bench.new]


def test_the_former_ends_although_it_is_always_first() -> None:
    bench = Bench()
    bring(bench.old, 1)
    bring(bench.new, 1)
    assert bench.node.subscriptions == [bench.new]
    bring(bench.new, 2, 3)
    assert bench.stamps == [1, 2, 3]


def test_what_the_former_brought_ahead_is_not_taken_again() -> None:
    bench = Bench()
    bring(bench.old, 1, 2)
    bring(bench.new, 1, 2, 3)
    assert bench.stamps == [1, 2, 3]


def test_what_the_former_lost_does_not_come_late() -> None:
    bench = Bench()
    bring(bench.old, 2)
    bring(bench.new, 1, 2, 3)
    assert bench.stamps == [2, 3]


def test_the_former_goes_on_until_the_new_one_brings_something() -> None:
    bench = Bench()
    bring(bench.old, 1, 2, 3)
    assert bench.stamps == [1, 2, 3]
    bring(bench.new, 4)
    bring(bench.old, 4)  # its callback was on its way
    assert bench.stamps == [1, 2, 3, 4]


def test_a_loop_after_the_hand_over_is_not_mistaken() -> None:
    bench = Bench()
    bring(bench.old, 8)
    bring(bench.new, 8, 1, 2)
    assert bench.stamps == [8, 1, 2]


def test_a_loop_within_the_hand_over_silences_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, now_s = Bench(), [0.0]
    monkeypatch.setattr(subscription, 'time', SimpleNamespace(monotonic=lambda: now_s[0]))
    bring(bench.old, 8)
    bring(bench.new, 1)
    now_s[0] = subscription.CATCH_UP_S + 0.1
    bring(bench.new, 2, 3)
    assert bench.stamps == [8, 2, 3]


def test_it_goes_back_when_a_publisher_is_not_reliable() -> None:
    bench = Bench()
    bring(bench.new, 1)
    bench.node.reliability = BEST_EFFORT
    bench.node.follow()
    best_effort = bench.node.subscriptions[-1]
    assert best_effort.qos.reliability == BEST_EFFORT
    bring(bench.new, 2)
    bring(best_effort, 2, 3)
    assert bench.stamps == [1, 2, 3]
    assert bench.node.subscriptions == [best_effort]
