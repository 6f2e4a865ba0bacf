"""Images in a thread of their own: calls are answered while an image callback works or waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from threading import current_thread, Event, get_ident, main_thread, Thread
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

import rclpy  # noqa: E402
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor  # noqa: E402
from rclpy.lifecycle import LifecycleNode  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from forecast_detector.ros.camera import Camera  # noqa: E402
from forecast_detector.ros.image_thread import ImageThread  # noqa: E402
from forecast_detector.ros.mailbox import Mailbox  # noqa: E402
from forecast_detector.topics import camera_topics  # noqa: E402

from .graph import Graph, wait_until  # noqa: E402

PATIENCE_S = 30.0


class Bench:
    """A node whose calls are answered in one thread, and whose images are taken in another."""

    def __init__(self, tester: Graph) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node: Any = rclpy.create_node('bench', context=self.context)
        self.images = ImageThread(self.node)
        self.taken: list[tuple[str, int]] = []
        self.in_callback, self.go_on = Event(), Event()
        self.go_on.set()
        self.fails = False
        self.tester = tester
        self.publisher: Any = tester.node.create_publisher(Image, '/bench/image', 10)
        self.node.create_service(Trigger, '/bench/call', lambda _, response: response)
        self.node.create_subscription(
            Image, '/bench/image', self.take, 10, callback_group=self.images.group)
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(self.node)
        self.calls = Thread(target=self.spin, args=(executor,), daemon=True)
        self.calls.start()

    def spin(self, executor: SingleThreadedExecutor) -> None:
        with suppress(ExternalShutdownException):
            executor.spin()
        executor.shutdown()

    def take(self, message: Image) -> None:
        self.taken.append((current_thread().name, message.height))
        self.in_callback.set()
        assert self.go_on.wait(PATIENCE_S)
        if self.fails:
            raise ValueError('of this image')

    def send(self, *heights: int) -> None:
        wait_until(self.publisher.get_subscription_count, 'the subscriber')
        for height in heights:
            self.publisher.publish(Image(height=height))

    def heights(self) -> list[int]:
        return [height for _, height in self.taken]

    def close(self) -> None:
        self.go_on.set()
        self.images.stop()
        rclpy.try_shutdown(context=self.context)
        self.calls.join()
        self.node.destroy_node()
        self.tester.node.destroy_publisher(self.publisher)


@pytest.fixture
def bench(graph: Graph) -> Iterator[Bench]:
    bench = Bench(graph)
    yield bench
    bench.close()


@pytest.fixture
def running(bench: Bench) -> Bench:
    bench.images.start()
    return bench


def test_a_call_is_answered_while_images_wait(running: Bench, graph: Graph) -> None:
    running.go_on.clear()
    running.send(1, 2, 3)
    assert running.in_callback.wait(PATIENCE_S)
    for _ in range(5):
        assert graph.call(Trigger, '/bench/call', Trigger.Request()) is not None
    assert running.heights() == [1]  # its callback has not come to its end yet
    running.go_on.set()
    wait_until(lambda: running.heights() == [1, 2, 3], 'the images')


def test_images_are_taken_in_their_thread_alone_and_only_while_it_runs(bench: Bench) -> None:
    bench.send(1)
    bench.node.create_timer(0.01, bench.go_on.set)  # the executor of the calls has its turns
    bench.go_on.clear()
    assert bench.go_on.wait(PATIENCE_S)
    assert bench.taken == []
    bench.images.start()
    wait_until(lambda: bench.heights() == [1], 'the image that came before')
    bench.images.stop()
    bench.images.start()
    bench.send(2, 3)
    wait_until(lambda: bench.heights() == [1, 2, 3], 'the images after another start')
    assert {thread for thread, _ in bench.taken} == {'images'}


def test_what_a_callback_raises_costs_no_other_image(running: Bench) -> None:
    running.fails = True
    running.send(1)
    wait_until(running.heights, 'the first image')
    running.send(2, 3)
    wait_until(lambda: running.heights() == [1, 2, 3], 'the others')


def test_an_errand_is_done_between_images_and_raises_what_it_raises(running: Bench) -> None:
    ran: list[tuple[int, int]] = []
    running.go_on.clear()
    running.send(1)
    assert running.in_callback.wait(PATIENCE_S)
    asked = Thread(target=running.images.do, args=(
        lambda: ran.append((get_ident(), len(running.taken))),))
    asked.start()
    asked.join(0.2)
    assert asked.is_alive() and ran == []  # it waits for the image
    running.go_on.set()
    asked.join(PATIENCE_S)
    assert [count for _, count in ran] == [1]
    assert ran[0][0] not in (get_ident(), main_thread().ident, asked.ident)

    def fail() -> None:
        raise ValueError('no such topic')

    with pytest.raises(ValueError, match='no such topic'):
        running.images.do(fail)
    running.send(2)
    wait_until(lambda: running.heights() == [1, 2], 'an image after the errand')


def test_errands_are_done_whether_it_runs_or_not(bench: Bench) -> None:
    ran: list[int] = []
    bench.images.do(lambda: ran.append(get_ident()))
    bench.images.start()
    bench.images.do(lambda: ran.append(get_ident()))
    bench.images.stop()
    bench.images.do(lambda: ran.append(get_ident()))
    assert ran[0] == ran[2] == get_ident() != ran[1]


def test_errands_are_done_once_when_ros_ends_meanwhile(running: Bench) -> None:
    ran: list[int] = []
    done = Event()

    def ask() -> None:
        for number in range(200):
            running.images.do(partial(ran.append, number))
        done.set()

    Thread(target=ask, daemon=True).start()
    wait_until(lambda: len(ran) > 10, 'the first errands')
    rclpy.shutdown(context=running.context)
    assert done.wait(PATIENCE_S)
    assert ran == list(range(200))


def test_all_of_a_cameras_images_are_taken_in_that_thread() -> None:
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    node: Any = LifecycleNode('lone', context=context)
    images = ImageThread(node)
    topics, = camera_topics(['/x/image_raw'], lambda name: name)
    camera = Camera(node, topics, Mailbox([topics.image]), False, images)
    camera.open()
    own = [one for one in node.subscriptions if one.topic_name == '/x/image_raw']
    assert own and all(one.callback_group is images.group for one in own)
    assert any(timer.callback_group is images.group for timer in node.timers)
    camera.destroy()
    assert not any(one.topic_name == '/x/image_raw' for one in node.subscriptions)
    node.destroy_node()
    rclpy.shutdown(context=context)
