"""Load the node beyond what it can do, and ask it all the while; see ``reliability_node.py``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from threading import Event
import time
from typing import Any

from beside import beside, resident_mb
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.qos import QoSProfile
from ros.graph import Graph, PATIENCE_S, wait_until
from std_srvs.srv import Trigger

from forecast_detector.msg import ForecastDecision

ASK_EVERY_S, SILENCE_S = 0.3, 2.0
KINDS = {'get_parameters': GetParameters, 'set_parameters': SetParameters,
         'force_read': Trigger, 'reset': Trigger}


def requests(p: float) -> dict[str, Any]:
    """Make a request for each of the services; p stays as it is."""
    same = Parameter(name='p', value=ParameterValue(type=3, double_value=p))
    return {
        'get_parameters': GetParameters.Request(names=['p']),
        'set_parameters': SetParameters.Request(parameters=[same]),
        'force_read': Trigger.Request(), 'reset': Trigger.Request(),
    }


class Listener:
    """
    Hears the decisions about a camera's images.

    :ivar ages_ms: of the images when their decision came, which are stamped with the time of day.
    :ivar gap_ms: longest time between two decisions.
    """

    def __init__(self, graph: Graph, topic: str) -> None:
        """Subscribe."""
        self.ages_ms: list[float] = []
        self.gap_ms = 0.0
        self._heard_s = time.monotonic()
        graph.node.create_subscription(
            ForecastDecision, topic, self._hear, QoSProfile(depth=1000))

    def is_silent(self) -> bool:
        """Say whether nothing has come for a while."""
        return time.monotonic() - self._heard_s > SILENCE_S

    def _hear(self, message: ForecastDecision) -> None:
        stamp, former_s = message.header.stamp, self._heard_s
        self._heard_s = time.monotonic()
        if self.ages_ms:
            self.gap_ms = max(self.gap_ms, (self._heard_s - former_s) * 1e3)
        self.ages_ms.append((time.time() - stamp.sec - stamp.nanosec / 1e9) * 1e3)


def client(graph: Graph, name: str, request: Any) -> Any:
    """Make a client that the node knows."""
    assert graph.call(KINDS[name], f'/detector/{name}', request)
    return graph.clients[f'/detector/{name}']


def call_ms(client: Any, request: Any) -> float:
    """
    Call a service and wait; give the time.

    :raises TimeoutError: if no answer comes.
    """
    answered, begin_s = Event(), time.monotonic()
    client.call_async(request).add_done_callback(lambda _: answered.set())
    if not answered.wait(PATIENCE_S):
        raise TimeoutError(f'{client.srv_name}: no answer in {PATIENCE_S:g} s')
    return (time.monotonic() - begin_s) * 1e3


class Counts:
    """
    Hears the node's diagnostics.

    :ivar of: counters of each camera's images.
    """

    names = 'received', 'lost', 'dropped'

    def __init__(self, graph: Graph) -> None:
        """Subscribe."""
        self.of: dict[str, dict[str, int]] = {}
        graph.node.create_subscription(DiagnosticArray, '/diagnostics', self._hear, 10)

    def sums(self) -> dict[str, int]:
        """Add up those of all cameras."""
        return {name: sum(of[name] for of in self.of.values()) for name in self.names}

    def _hear(self, array: DiagnosticArray) -> None:
        for status in array.status:
            values = {pair.key: pair.value for pair in status.values}
            if status.hardware_id:
                self.of[status.hardware_id] = {name: int(values[name]) for name in self.names}


def load(
    graph: Graph, node: Mapping[str, Any], seconds: float, rate_hz: float = 30.0,
    calls: bool = True, size: str = '640x480',
) -> dict[str, Any]:
    """
    Send four cameras' images, and call services.

    :param node: parameters of the node.
    :returns: ages of the images when their decision came, and how long calls took, in ms;
        ``answered_late`` are decisions that came after the cameras had ended. What became of
        the images is as of the node's last diagnostics.
    """
    topics = [f'/c{k}/image_raw' for k in range(4)]
    child = graph.detector(image_topics=topics, **node)
    listeners = [Listener(graph, f'/c{k}/decision') for k in range(4)]
    counts = Counts(graph)
    asked = requests(float(node['p'])) if calls else {}
    clients = {name: (client(graph, name, one), one) for name, one in asked.items()}
    with beside('cameras.py', str(rate_hz), size, *topics) as cameras:
        wait_until(lambda: all(one.ages_ms for one in listeners), 'answers to all cameras')
        first = rounds(clients, seconds / 2)
        halves = [len(one.ages_ms) for one in listeners]
        second = rounds(clients, seconds / 2)
    ends = [len(one.ages_ms) for one in listeners]
    calls_ms = {name: first[name] + second[name] for name in clients}
    wait_until(lambda: all(one.is_silent() for one in listeners), 'the last answer')
    return {
        'seconds': seconds, 'sent': cameras.number, 'answered': sum(ends), **counts.sums(),
        'answered_late': sum(len(one.ages_ms) for one in listeners) - sum(ends),
        'age_ms_first_half': spread([
            ms for one, half in zip(listeners, halves) for ms in one.ages_ms[:half]]),
        'age_ms_second_half': spread([
            ms for one, half in zip(listeners, halves) for ms in one.ages_ms[half:]]),
        'longest_gap_ms': round(max(one.gap_ms for one in listeners), 1),
        'call_ms': spread([ms for name in clients for ms in calls_ms[name]]),
        'call_ms_by_service': {name: spread(calls_ms[name]) for name in clients},
        'state': graph.state(), 'memory_mb': resident_mb(child.pid),
    }


def rounds(clients: Mapping[str, tuple[Any, Any]], seconds: float) -> dict[str, list[float]]:
    """
    Call services in turn for some time; give how long each took, in ms.

    :param clients: and their requests.
    """
    took: dict[str, list[float]] = {name: [] for name in clients}
    if not clients:
        time.sleep(seconds)
        return took
    begin_s = time.monotonic()
    for number, (name, (client, request)) in enumerate(cycle(clients.items())):
        time.sleep(max(0.0, begin_s + number * ASK_EVERY_S - time.monotonic()))
        if time.monotonic() - begin_s > seconds:
            return took
        took[name].append(call_ms(client, request))
    raise AssertionError('the services have come to an end')


def spread(values: list[float]) -> dict[str, float]:
    """Give median, 95th percentile and most of some values; and how many there are."""
    if not values:
        return {'count': 0}
    p50, p95 = np.percentile(values, (50, 95))
    return {'count': len(values), 'p50': round(float(p50), 1), 'p95': round(float(p95), 1),
            'most': round(max(values), 1)}
