"""Images of several publishers that mix on one topic are a trouble with a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402

from forecast_detector.ros.health import CameraHealth  # noqa: E402
from forecast_detector.ros.image_types import Offer, RAW  # noqa: E402
from forecast_detector.ros.mailbox import Counters  # noqa: E402
from forecast_detector.ros.senders import Senders, WINDOW  # noqa: E402

from .graph import Camera, Graph, wait_until  # noqa: E402

TOPIC = '/front/image_raw'


def info(publisher: str) -> dict[str, Any]:
    return {'publisher_gid': {'data': publisher.encode()}}


@pytest.mark.parametrize(('publishers', 'mix'), [
    ('', False), ('aaaaaaaa', False), ('ab', False),
    ('aaabbb', False),  # one that takes another's place
    ('aaababbb', False), ('abababab', True), ('aabbaabbaabb', True),
    ('abababab' + WINDOW * 'a', False),
])
def test_publishers_mix_that_send_at_the_same_time(publishers: str, mix: bool) -> None:
    senders = Senders()
    for publisher in publishers:
        senders.saw(info(publisher))
    assert bool(senders.trouble()) == mix
    if mix:
        assert 'images of 2 publishers mix' in senders.trouble()


def test_a_middleware_that_names_no_publisher_says_nothing() -> None:
    senders = Senders()
    for one in ({}, {'publisher_gid': None}) * WINDOW:
        senders.saw(one)
    assert not senders.trouble()


def test_a_camera_that_is_subscribed_to_anew_begins_anew() -> None:
    health = CameraHealth(TOPIC, Counters())
    health.start(Offer(RAW))
    for publisher in 'abababab':
        health.saw_arrival(info(publisher))
    health.saw_image()
    assert health.finding(2, 2.0).kind == 'senders'
    health.start(Offer(RAW))
    assert health.finding(2, 2.0).kind == ''


def test_two_cameras_on_one_topic_are_told(graph: Graph, tiny_weights: Path) -> None:
    graph.detector(weights=str(tiny_weights), image_topics=[TOPIC])
    arrays: list[DiagnosticArray] = []
    graph.node.create_subscription(DiagnosticArray, '/diagnostics', arrays.append, 10)
    first, second = Camera(graph, TOPIC), Camera(graph, TOPIC)
    first.wait_for_detector()
    if 'publisher_gid' not in _info(graph, first):
        pytest.skip('this ROS does not name the publisher of an image')

    def told() -> bool:
        second.stamp_ns = first.stamp_ns  # of one clock: nothing else tells them apart
        for camera in (first, second):
            camera.send()
        return any('2 publishers mix' in s.message for a in arrays[-1:] for s in a.status)

    wait_until(told, 'the warning')


def _info(graph: Graph, camera: Camera) -> dict[str, Any]:
    """Say what a subscription learns of an image."""
    from sensor_msgs.msg import Image

    found: list[dict[str, Any]] = []
    subscription = graph.node.create_subscription(
        Image, TOPIC, lambda _, info: found.append(info), 10)
    wait_until(lambda: (camera.send(), found)[1], 'an image')
    graph.node.destroy_subscription(subscription)
    return found[0]
