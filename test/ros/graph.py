"""A ROS graph for tests: detector processes, and one client node that talks to them."""

from __future__ import annotations

from array import array
from collections.abc import Callable
import os
from pathlib import Path
from threading import Thread
import time
from typing import Any

import cv2
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
from rcl_interfaces.srv import GetParameters, SetParameters
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from forecast_detector.demo.processes import Child, Children
from forecast_detector.msg import ForecastDecision
from forecast_detector.node import DETECTOR

PATIENCE_S = 60.0
# After so long a message is taken for lost, where another one may be sent.
LOST_S = 1.0
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'cleanup': Transition.TRANSITION_CLEANUP,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'shutdown': Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
}


def wait_until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Return the condition's value as soon as it is true; fail after a long time."""
    value = _within(patience_s, condition)
    assert value, f'waited {patience_s:g} s in vain for {what}'
    return value


def _within(seconds: float, condition: Callable[[], Any]) -> Any:
    """Return the condition's value as soon as it is true, or what it is after some time."""
    end_s = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end_s:
        time.sleep(0.01)
    return value


def make_image(stamp_ns: int, size: tuple[int, int] = (64, 48), frame_id: str = 'lens') -> Image:
    """Make an image of noise, the same for the same stamp."""
    width, height = size
    pixels = np.random.default_rng(stamp_ns % 2**32).integers(0, 256, (height, width, 3))
    image = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    image.header.stamp.sec, image.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    image.header.frame_id = frame_id
    image.data = array('B', pixels.astype(np.uint8).tobytes())
    return image


def compress(image: Image) -> CompressedImage:
    """Make a JPEG of an image."""
    pixels = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)
    data = cv2.imencode('.jpg', pixels)[1].tobytes()
    return CompressedImage(header=image.header, format='jpeg', data=array('B', data))


def keep_all() -> QoSProfile:
    """Build a profile that loses nothing (reliable is rclpy's default)."""
    return QoSProfile(history=HistoryPolicy.KEEP_ALL)


class Camera:
    """Publishes on one image topic and hears the answers beside it."""

    def __init__(
        self,
        graph: Graph,
        topic: str,
        qos: QoSProfile | int = 10,
        kind: type | None = None,
        publisher: Any = None,
    ) -> None:
        """
        Publish and listen.

        A process hears of listeners in their order: a detector that has answered one camera
        misses no listener of those that were made before it.

        :param kind: type of the images; by default as the topic's name says.
        :param publisher: made elsewhere: in one context a topic has one type.
        """
        kind = kind or (CompressedImage if topic.endswith('/compressed') else Image)
        base = topic.removesuffix('/compressed').rpartition('/')[0]
        node = graph.node
        self.detections: dict[int, Detection2DArray] = {}
        self.decisions: dict[int, ForecastDecision] = {}
        self.order: list[int] = []
        self.stamp_ns = 1_000_000_000
        self._kind = kind
        self._graph = graph
        self._topic = topic
        self._publisher = publisher or node.create_publisher(kind, topic, qos)
        many = QoSProfile(depth=1000)
        node.create_subscription(Detection2DArray, f'{base}/detections', self._on_detections, many)
        node.create_subscription(ForecastDecision, f'{base}/decision', self._on_decision, many)

    def _on_detections(self, message: Detection2DArray) -> None:
        self.detections[_ns(message)] = message

    def _on_decision(self, message: ForecastDecision) -> None:
        self.order.append(_ns(message))
        self.decisions[_ns(message)] = message

    def wait_for_detector(self) -> None:
        """
        Send images until one is answered and no more can be lost.

        What listens to a reliable publisher is best effort at first, and follows in a moment.
        """
        wait_until(self._publisher.get_subscription_count, 'a subscriber')
        self.knock()
        if self._publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE:
            wait_until(lambda: self.knock() and self._is_followed(), 'a reliable subscription')

    def subscribers(self) -> int:
        """Count who subscribes to the images."""
        return int(self._publisher.get_subscription_count())

    def knock(self) -> int:
        """Send images until one is answered, where some may be lost; return its stamp."""
        sent: list[int] = []

        def answered() -> int:
            sent.append(self.send())
            return int(_within(LOST_S, lambda: next(filter(self._has, sent), 0)))

        return int(wait_until(answered, 'an answer'))

    def _is_followed(self) -> bool:
        """Say whether reliable subscriptions have taken over."""
        heard = self._graph.node.get_subscriptions_info_by_topic(self._topic)
        return {one.qos_profile.reliability for one in heard} == {ReliabilityPolicy.RELIABLE}

    def _has(self, stamp_ns: int) -> bool:
        return stamp_ns in self.decisions and stamp_ns in self.detections

    def next_image(self, size: tuple[int, int] = (64, 48)) -> Any:
        """Make an image a tenth of a second after the last one."""
        self.stamp_ns += 100_000_000
        image = make_image(self.stamp_ns, size)
        return compress(image) if self._kind is CompressedImage else image

    def send(self, image: Any = None) -> int:
        """Publish an image (default: the next one); return its stamp."""
        image = image or self.next_image()
        self._publisher.publish(image)
        return _ns(image)

    def send_bytes(self, data: bytes) -> None:
        """Publish a message as it is on the wire, be it none."""
        self._publisher.publish(data)

    def ask(self, image: Any = None) -> tuple[Detection2DArray, ForecastDecision]:
        """Publish an image (default: the next one) and wait for its answers."""
        stamp_ns = self.send(image)
        wait_until(lambda: self._has(stamp_ns), f'the answers to {stamp_ns}')
        return self.detections[stamp_ns], self.decisions[stamp_ns]


def _ns(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class Graph:
    """A domain of its own: processes under test, and a node that talks to them."""

    def __init__(self, folder: Path) -> None:
        self.children = Children(folder)
        os.environ.update(self.children.environment)
        self.clients: dict[str, Any] = {}
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node('tester', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.children.__exit__(*exception)
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def detector(self, name: str = 'detector', **parameters: Any) -> Child:
        """Start a detector node in a process of its own."""
        return self.children.start(name, DETECTOR, {'cpu_threads': 1, **parameters}, node=name)

    def call(self, kind: type, service: str, request: Any) -> Any:
        """Call a service and wait for its answer."""
        if service not in self.clients:
            self.clients[service] = self.node.create_client(kind, service)
            self._meet(wait_until(lambda: self._server(service), f'the node of {service}'))
        client = self.clients[service]
        wait_until(client.service_is_ready, f'the service {service}')
        future = client.call_async(request)
        return wait_until(lambda: future.done() and future.result(), f'an answer of {service}')

    def _server(self, service: str) -> str:
        """Name the node that a service is of, by its name; '' while there is none."""
        names = (
            f'{space.rstrip("/")}/{name}'
            for name, space in self.node.get_node_names_and_namespaces()
        )
        return max((name for name in names if service.startswith(f'{name}/')), default='')

    def _meet(self, node: str) -> None:
        """
        Wait until a node knows the clients that were made so far.

        It drops its answer to one that it does not know yet. It hears of clients in their order:
        when one is answered, all that were made before it are known.
        """
        client = self.node.create_client(GetParameters, f'{node}/get_parameters')

        def is_answered() -> bool:
            future = client.call_async(GetParameters.Request())
            return bool(_within(LOST_S, future.done))

        wait_until(client.service_is_ready, f'the node {node}')
        wait_until(is_answered, f'an answer of {node}')
        self.node.destroy_client(client)

    def set(self, node: str = 'detector', **values: Any) -> list[Any]:
        """Set parameters by service; return a result for each."""
        parameters = [Parameter(name, value=v).to_parameter_msg() for name, v in values.items()]
        request = SetParameters.Request(parameters=parameters)
        return self.call(SetParameters, f'/{node}/set_parameters', request).results

    def change(self, transition: str, node: str = 'detector') -> bool:
        """Ask for a transition; return whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=TRANSITIONS[transition]))
        return self.call(ChangeState, f'/{node}/change_state', request).success

    def state(self, node: str = 'detector') -> str:
        """Ask for the state."""
        request = GetState.Request()
        return self.call(GetState, f'/{node}/get_state', request).current_state.label
