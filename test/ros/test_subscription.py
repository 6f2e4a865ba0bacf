"""The hand-over between a best-effort and a reliable subscription, with a node that is a stub."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from rclpy.qos import HistoryPolicy, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from forecast_detector.ros import subscription  # noqa: E402
from forecast_detector.ros.image_types import choose, COMPRESSED, Offer, RAW  # noqa: E402
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
        self.types: list[str] = [RAW]
        self.errors: list[str] = []
        self.fails = False
        self.follow: Callable[[], None] = lambda: None

    def has_parameter(self, name: str) -> bool:
        return False

    def declare_parameter(self, name: str, descriptor: Any) -> Any:
        return SimpleNamespace(value=None)

    def undeclare_parameter(self, name: str) -> None:
        pass

    def destroy_timer(self, timer: Any) -> None:
        pass

    def create_timer(self, period_s: float, callback: Callable[[], None], **_: Any) -> None:
        self.follow = callback

    def create_subscription(
        self, kind: type, topic: str, callback: Callable[[Any], None], qos: Any, **_: Any
    ) -> Any:
        if self.fails:
            raise RuntimeError('held by another node')
        self.subscriptions.append(SimpleNamespace(kind=kind, callback=callback, qos=qos))
        return self.subscriptions[-1]

    def destroy_subscription(self, entity: Any) -> None:
        if entity in self.subscriptions:
            self.subscriptions.remove(entity)

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        self.asked.append(topic)
        qos = SimpleNamespace(reliability=self.reliability)
        return [SimpleNamespace(qos_profile=qos, topic_type=kind) for kind in self.types]

    def get_logger(self) -> Any:
        return SimpleNamespace(error=self.errors.append)


class Bench:
    """An image subscription in the middle of its hand-over from best effort to reliable."""

    def __init__(self, topic: str = '/front/image_raw', lossless: bool = False) -> None:
        self.node = Node(RELIABLE)
        self.stamps: list[int] = []
        topics, = camera_topics(['image'], {'image': topic}.__getitem__)
        self.offers: list[Offer] = []
        self.infos: list[Any] = []
        node: Any = self.node
        self.subject = ImageSubscription(
            node, topics, lossless, self._take, lambda event: None, self.offers.append,
            self.infos.append,
        )
        self.old, self.new = self.node.subscriptions[0], self.node.subscriptions[-1]

    def _take(self, message: Any) -> None:
        self.stamps.append(message.header.stamp.sec)


def bring(entity: Any, *seconds: int) -> None:
    """Let a subscription bring images with these stamps."""
    for second in seconds:
        entity.callback(make_image(second * 10**9), {'publication_sequence_number': second})


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
    numbers = [info['publication_sequence_number'] for info in bench.infos]
    assert numbers == [1, 2, 1, 2, 3]  # of whatever came, for those that did not


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


CLOUD, TEXT = 'sensor_msgs/msg/PointCloud2', 'std_msgs/msg/String'


@pytest.mark.parametrize(('offered', 'current', 'taken', 'others', 'is_heard'), [
    ([], RAW, RAW, (), True),
    ([RAW, RAW], RAW, RAW, (), True),
    ([COMPRESSED], RAW, COMPRESSED, (), True),
    ([RAW], COMPRESSED, RAW, (), True),
    ([RAW, COMPRESSED], COMPRESSED, COMPRESSED, (RAW,), True),
    ([RAW, COMPRESSED], RAW, RAW, (COMPRESSED,), True),
    ([CLOUD], RAW, RAW, (CLOUD,), False),
    ([TEXT, CLOUD, TEXT], COMPRESSED, COMPRESSED, (CLOUD, TEXT), False),
    ([CLOUD, COMPRESSED], RAW, COMPRESSED, (CLOUD,), True),
])
def test_the_type_that_is_sent_is_taken(
    offered: list[str], current: str, taken: str, others: tuple[str, ...], is_heard: bool
) -> None:
    assert choose(offered, current) == Offer(taken, others, is_heard)


def test_what_is_not_heard_is_named_with_what_to_do() -> None:
    assert Offer(RAW).trouble('/cam') == ''
    said = Offer(RAW, (CLOUD,), False).trouble('/cam')
    assert '/cam' in said and CLOUD in said and RAW in said and COMPRESSED in said
    said = Offer(RAW, (TEXT,)).trouble('/cam')
    assert f'{RAW} is taken' in said and f'{TEXT} is not heard' in said


@pytest.mark.parametrize('lossless', [False, True])
@pytest.mark.parametrize(('topic', 'first', 'sent', 'then'), [
    ('/front/image_jpeg', Image, COMPRESSED, CompressedImage),
    ('/front/image_raw/compressed', CompressedImage, RAW, Image),
])
def test_the_subscription_is_of_the_type_that_comes(
    topic: str, first: type, sent: str, then: type, lossless: bool
) -> None:
    bench = Bench(topic, lossless)
    bench.node.types = []
    bench.node.follow()
    assert bench.new.kind in (first, then)
    bench.node.types = [sent]
    bench.node.follow()
    kinds = {entity.kind for entity in bench.node.subscriptions}
    assert kinds == {then}  # of the other type none is left
    newest = bench.node.subscriptions[-1]
    assert newest.qos.reliability == RELIABLE
    assert (newest.qos.history == HistoryPolicy.KEEP_ALL) == lossless
    bring(newest, 1)
    assert bench.stamps == [1]
    assert [offer.taken for offer in bench.offers] == [sent]
    bench.node.follow()
    assert bench.node.subscriptions == [newest] and len(bench.offers) == 1


def test_a_camera_that_comes_back_with_another_type_is_followed() -> None:
    bench = Bench()
    for types in ([], [COMPRESSED], [], [RAW], [CLOUD], [COMPRESSED]):
        bench.node.types = types
        bench.node.follow()
    assert [offer.taken for offer in bench.offers] == [COMPRESSED, RAW, RAW, COMPRESSED]
    assert {entity.kind for entity in bench.node.subscriptions} == {CompressedImage}


def test_the_reliability_is_that_of_the_publishers_that_are_heard() -> None:
    bench = Bench()
    bring(bench.new, 1)
    qos = [SimpleNamespace(reliability=r) for r in (RELIABLE, BEST_EFFORT)]
    bench.node.get_publishers_info_by_topic = lambda topic: [  # type: ignore[method-assign]
        SimpleNamespace(qos_profile=qos[0], topic_type=RAW),
        SimpleNamespace(qos_profile=qos[1], topic_type=TEXT),
    ]
    bench.node.follow()
    assert bench.node.subscriptions == [bench.new]


def test_a_type_that_the_middleware_refuses_is_named_once_and_tried_again() -> None:
    bench = Bench()
    bench.node.types, bench.node.fails = [COMPRESSED], True
    bench.node.follow()
    bench.node.follow()
    line, = bench.node.errors
    assert COMPRESSED in line and 'held by another node' in line
    assert bench.offers == []
    bench.node.fails = False
    bench.node.follow()
    assert {entity.kind for entity in bench.node.subscriptions} == {CompressedImage}
    assert [offer.taken for offer in bench.offers] == [COMPRESSED]
    bench.subject.destroy()
    assert bench.node.subscriptions == []
