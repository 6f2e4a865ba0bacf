"""Cameras in the graph are found, with what they send, by a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from forecast_detector.cli.self_check import survey  # noqa: E402
from forecast_detector.ros import survey as surveying  # noqa: E402

from .graph import compress, make_image  # noqa: E402

if TYPE_CHECKING:
    from .graph import Graph


def test_cameras_are_found_with_what_they_send(graph: Graph) -> None:
    node = graph.node
    best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    front = node.create_publisher(Image, '/front/image_raw', best_effort)
    rear = node.create_publisher(CompressedImage, '/rear/image_raw/compressed', 5)
    node.create_publisher(Image, '/silent/image_raw', 5)
    depth = node.create_publisher(Image, '/depth/image_raw', 5)
    empty = node.create_publisher(Image, '/empty/image_raw', 5)
    unstamped = node.create_publisher(Image, '/unstamped/image_raw', 5)
    node.create_publisher(Image, '/front/overlay', 5)

    def send() -> None:
        image = make_image(node.get_clock().now().nanoseconds)
        front.publish(image)
        rear.publish(compress(image))
        step = {'height': 48, 'width': 64}
        depth.publish(Image(header=image.header, encoding='32FC1', step=256, **step))
        empty.publish(Image(header=image.header, encoding='rgb8', step=10, **step))
        unstamped.publish(make_image(0))

    timer = node.create_timer(0.1, send)
    found = survey(2.0)
    node.destroy_timer(timer)
    cameras = {camera['topic']: camera for camera in found['cameras']}
    assert set(cameras) == {
        '/front/image_raw', '/rear/image_raw/compressed', '/silent/image_raw', '/depth/image_raw',
        '/empty/image_raw', '/unstamped/image_raw',
    }
    one, other = cameras['/front/image_raw'], cameras['/rear/image_raw/compressed']
    assert (one['reliability'], other['reliability']) == ('best effort', 'reliable')
    assert (one['images'], other['images']) == ('64x48 rgb8', '64x48 jpeg')
    assert one['usable'] and other['usable'] and one['stamped'] and not one['why']
    for name, why in (('depth', "encoding '32FC1' is a depth"), ('empty', 'step is 10 bytes')):
        camera = cameras[f'/{name}/image_raw']
        assert not camera['usable'] and camera['why'].startswith(why)
        assert camera['bad'] == camera['received'] > 0
    assert not cameras['/unstamped/image_raw']['stamped']
    assert cameras['/unstamped/image_raw']['usable']
    assert one['received'] > 2 and 0 <= one['age_s'] < 10 and one['rate_hz'] > 0
    assert cameras['/silent/image_raw']['received'] == 0
    assert found['detectors'] == [] and found['domain'] > 0


class SlowGraph:
    """A graph in which topics come up at certain seconds; it has a clock of its own."""

    def __init__(self, topics: dict[str, float]) -> None:
        self.topics, self.now_s = topics, 100.0

    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]:
        there = [name for name, at_s in self.topics.items() if self.now_s >= 100 + at_s]
        return [(name, ['sensor_msgs/msg/Image']) for name in there]

    def count_publishers(self, topic: str) -> int:
        return int(topic != '/subscribed')

    def monotonic(self) -> float:
        return self.now_s

    def spin_once(self, timeout_sec: float) -> None:
        self.now_s += timeout_sec


@pytest.mark.parametrize('topics, found, seconds', [
    ({'/a': 0.5, '/subscribed': 0.5}, ['/a'], 3.5),
    ({'/a': 0.5, '/b': 3, '/c': 5.5}, ['/a', '/b', '/c'], 8.5),
    ({'/late': 6}, ['/late'], 9),
    ({}, [], 8),
    ({f'/{at:02}': at for at in range(100)}, [f'/{at:02}' for at in range(21)], 20),
], ids=['at once', 'one after the other', 'late', 'none', 'always more'])
def test_discovery_ends_when_no_more_topics_come_up(monkeypatch, topics, found, seconds) -> None:
    graph = SlowGraph(topics)
    monkeypatch.setattr(surveying, 'time', graph)
    assert [topic for topic, _ in surveying.discovered(graph, graph)] == found
    assert seconds <= graph.now_s - 100 <= seconds + 0.5
