"""Topics whose publishers send another type than the name suggests, in a live graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
import rclpy  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image, PointCloud2  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from .graph import Camera, Graph, keep_all, wait_until  # noqa: E402

JPEG, RAW, CLOUD, MIXED = (
    '/jpeg/image_jpeg', '/raw/image_raw/compressed', '/cloud/image_raw', '/mixed/image_raw'
)


class Watched:
    """A detector, its log, and its newest diagnostics."""

    def __init__(self, graph: Graph, weights: Path) -> None:
        topics = [JPEG, RAW, CLOUD, MIXED]
        self.child = graph.detector(weights=str(weights), image_topics=topics, p=1.0)
        self._newest: dict[str, DiagnosticStatus] = {}
        graph.node.create_subscription(DiagnosticArray, '/diagnostics', self._take, 10)

    def _take(self, array: DiagnosticArray) -> None:
        self._newest = {status.hardware_id: status for status in array.status}

    def wait_for_status(self, topic: str, *words: str) -> DiagnosticStatus:
        """Wait until a camera's status has these words."""
        def status() -> Any:
            newest = self._newest.get(topic)
            return newest if newest and all(word in newest.message for word in words) else None

        return wait_until(status, f'a status with {words}')

    def figures(self, topic: str) -> dict[str, str]:
        """Give the figures of a camera's newest status."""
        status = self._newest.get(topic)
        return {pair.key: pair.value for pair in status.values} if status else {}

    def warnings(self, *words: str) -> int:
        """Count the warnings in the log with these words."""
        lines = self.child.log.read_text().splitlines()
        return sum('[WARN]' in line and all(word in line for word in words) for line in lines)


@pytest.fixture(scope='module')
def watched(graph: Graph, tiny_weights: Path) -> Watched:
    return Watched(graph, tiny_weights)


@contextmanager
def elsewhere(kind: type, topic: str) -> Iterator[Any]:
    """A publisher in a context of its own: in one, a topic has one type."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('elsewhere', context=context)
    yield node.create_publisher(kind, topic, 10)
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize(('topic', 'kind'), [(JPEG, CompressedImage), (RAW, Image)])
def test_the_other_type_of_image_is_taken_and_answered_beside_it(
    graph: Graph, watched: Watched, topic: str, kind: type
) -> None:
    camera = Camera(graph, topic, kind=kind)
    camera.wait_for_detector()
    image = camera.next_image()
    detections, decision = camera.ask(image)
    assert detections.header == decision.header == image.header
    sent = f'sensor_msgs/msg/{kind.__name__}'
    wait_until(lambda: watched.figures(topic).get('type') == sent, 'its type in diagnostics')
    watched.wait_for_status(topic, 'is running')
    assert watched.warnings(topic, f'send {sent}, not ') == 1


def test_no_image_is_named_and_a_camera_that_comes_later_is_heard(
    graph: Graph, watched: Watched
) -> None:
    for kind, name in ((PointCloud2, 'sensor_msgs/msg/PointCloud2'), (String, 'std_msgs/msg/Str')):
        with elsewhere(kind, CLOUD):
            status = watched.wait_for_status(CLOUD, name, 'no image', 'in image_topics')
            assert status.level == DiagnosticStatus.WARN
            wait_until(lambda name=name: watched.warnings(CLOUD, name) == 1, 'one warning')
    for kind in (CompressedImage, Image):  # started again with the other type
        with elsewhere(kind, CLOUD) as publisher:
            camera = Camera(graph, CLOUD, kind=kind, publisher=publisher)
            camera.wait_for_detector()
            camera.ask()
    wait_until(lambda: watched.warnings(CLOUD, 'subscribed to that') == 2, 'two warnings')


def test_what_is_sent_beside_the_images_is_named(
    graph: Graph, watched: Watched
) -> None:
    camera = Camera(graph, MIXED)
    camera.wait_for_detector()
    with elsewhere(String, MIXED):
        wait_until(
            lambda: camera.ask() and watched.warnings(MIXED, 'std_msgs/msg/String is not heard'),
            'a warning',
        )
        camera.ask()
    assert watched.warnings(MIXED, 'is not heard') == 1


def test_lossless_takes_the_other_type_too(graph: Graph, tiny_weights: Path) -> None:
    topic = '/kept/image_jpeg'
    graph.detector('kept', weights=str(tiny_weights), image_topics=[topic], lossless=True)
    camera = Camera(graph, topic, keep_all(), kind=CompressedImage)
    camera.wait_for_detector()
    sent = [camera.send() for _ in range(30)]
    wait_until(lambda: sent[-1] in camera.decisions, 'the last answer')
    assert camera.order[-30:] == sent
