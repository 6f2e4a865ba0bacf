"""Transitions that fail half-way leave the node as its state says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

import rclpy  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from forecast_detector.ros.camera import Camera  # noqa: E402
from forecast_detector.ros.detector import DetectorNode  # noqa: E402
from forecast_detector.ros.diagnostics import TWIN_PERIODS  # noqa: E402
from forecast_detector.ros.health import Finding  # noqa: E402

from .graph import Graph, wait_until  # noqa: E402

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture
def node(graph: Graph, tiny_weights: Path) -> Iterator[DetectorNode]:
    """A detector in this process; its transitions are called, it does not spin."""
    context = rclpy.Context()
    rclpy.init(context=context)
    given = {'weights': str(tiny_weights), 'image_topics': ['/cam/image_raw'], 'autostart': False}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    node = DetectorNode(context=context, parameter_overrides=overrides)
    yield node
    node.close()
    node.destroy_node()
    rclpy.shutdown(context=context)


def broken(*_: Any, **__: Any) -> None:
    raise RuntimeError('out of luck')


def publishers(node: DetectorNode) -> list[Any]:
    """The publishers of results."""
    return [p for p in node.publishers if p.topic_name in ('/cam/detections', '/cam/decision')]


def test_a_configure_that_fails_late_leaves_nothing(
    node: DetectorNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(node, 'create_publisher', broken)  # label_info's
        assert node.trigger_configure() == FAILURE
    assert publishers(node) == []
    # As an unconfigured node does, it takes what is read on configure.
    assert node.set_parameters([Parameter('cpu_threads', value=1)])[0].successful
    assert node.trigger_configure() == SUCCESS
    assert len(publishers(node)) == 2


def test_threads_are_bounded_for_the_network_and_for_images(node: DetectorNode) -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        for count in (2, 1):
            assert node.set_parameters([Parameter('cpu_threads', value=count)])[0].successful
            assert node.trigger_configure() == SUCCESS
            assert (torch.get_num_threads(), cv2.getNumThreads()) == (count, count)
            assert node.trigger_cleanup() == SUCCESS
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def test_an_activate_that_fails_deactivates_the_publishers(
    node: DetectorNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.trigger_configure() == SUCCESS
    with monkeypatch.context() as patch:
        patch.setattr(Camera, 'open', broken)
        assert node.trigger_activate() == FAILURE
    assert [p.is_activated for p in publishers(node)] == [False, False]
    assert node.trigger_activate() == SUCCESS
    assert [p.is_activated for p in publishers(node)] == [True, True]


def test_cameras_that_cannot_be_had_leave_the_former_ones(
    node: DetectorNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    opened = Camera.open

    def open_but_one(camera: Camera) -> None:
        if camera.topics.image == '/new/image_raw':
            raise RuntimeError('no topic, at /project/src/subscription.cpp:526')
        opened(camera)

    monkeypatch.setattr(Camera, 'open', open_but_one)
    (result,) = node.set_parameters([Parameter('image_topics', value=['/new/image_raw'])])
    assert not result.successful and result.reason == 'no topic'
    assert list(node.get_parameter('image_topics').value) == ['/cam/image_raw']
    assert [p.is_activated for p in publishers(node)] == [True, True]
    assert not [p for p in node.publishers if p.topic_name.startswith('/new/')]


def test_what_the_node_itself_publishes_is_no_camera(node: DetectorNode) -> None:
    for topic, why in (('/diagnostics', 'DiagnosticArray'), ('/a/surprise', 'its own results')):
        assert node.set_parameters([Parameter('image_topics', value=[topic])])[0].successful
        assert node.trigger_configure() == FAILURE
        assert why in node._diagnostics.failure and topic in node._diagnostics.failure


def test_a_second_node_of_its_name_is_named_with_the_remedy(node: DetectorNode) -> None:
    # In a namespace that no other module's node, which may just have been ended, was in.
    asleep = [Parameter('autostart', value=False)]
    one = DetectorNode(context=node.context, namespace='twins', parameter_overrides=asleep)

    def finding() -> Finding:
        return one._diagnostics._finding('/twins/detector')

    assert not any(finding().kind for _ in range(TWIN_PERIODS + 1))
    other = rclpy.create_node('detector', context=node.context, namespace='twins')
    there = ('detector', '/twins')
    wait_until(lambda: one.get_node_names_and_namespaces().count(there) == 2, 'the other')
    found = [finding() for _ in range(TWIN_PERIODS)]
    assert [one.kind for one in found[-2:]] == ['', 'twin']
    assert '2 nodes are named /twins/detector' in found[-1].text and '__node:=' in found[-1].text
    other.destroy_node()
    wait_until(lambda: not finding().kind, 'its end')
    one.close()
    one.destroy_node()
