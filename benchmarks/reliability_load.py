"""Load the node beyond what it can do, and ask it all the while; see ``reliability_node.py``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from threading import Event
import time
from typing import Any

from beside import beside, resident_mb
import numpy as np
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.qos import QoSProfile
from ros.graph import Graph, PATIENCE_S, wait_until
from std_srvs.srv import Trigger

from forecast_detector.msg import ForecastDecision

ASK_EVERY_S, SILENCE_S = 0.3, 2.0
P = Parameter(name='p', value=ParameterValue(type=3, double_value=0.5))
CALLS: dict[str, tuple[type, Any]] = {
    'get_parameters': (GetParameters, GetParameters.Request(names=['p'])),
    'set_parameters': (SetParameters, SetParameters.Request(parameters=[P])),
    'force_read': (Trigger, Trigger.Request()),
    'reset': (Trigger, Trigger.Request()),
}


class Listener:
    """
    Hears the decisions about a camera's images.

    :ivar ages_ms: of the images when their decision came, which are stamped with the time of day.
    """

    def __init__(self, graph: Graph, topic: str) -> None:
        """Subscribe."""
        self.ages_ms: list[float] = []
        self._heard_s = time.monotonic()
        graph.node.create_subscription(
            ForecastDecision, topic, self._hear, QoSProfile(depth=1000))

    def is_silent(self) -> bool:
        """Say whether nothing has come for a while."""
        return time.monotonic() - self._heard_s > SILENCE_S

    def _hear(self, message: ForecastDecision) -> None:
        stamp = message.header.stamp
        self._heard_s = time.monotonic()
        self.ages_ms.append((time.time() - stamp.sec - stamp.nanosec / 1e9) * 1e3)


def client(graph: Graph, name: str) -> Any:
    """Make a client that the node knows."""
    kind, request = CALLS[name]
    assert graph.call(kind, f'/detector/{name}', request)
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


def load(
    graph: Graph, weights: str, seconds: float, size: str = '640x480', rate_hz: float = 30.0,
) -> dict[str, Any]:
    """
    Send four cameras' images faster than they can be answered, and call services.

    :returns: ages of the images when their decision came, and how long calls took, in ms;
        ``answered_late`` are decisions that came after the cameras had ended.
    """
    topics = [f'/c{k}/image_raw' for k in range(4)]
    child = graph.detector(weights=weights, image_topics=topics)
    listeners = [Listener(graph, f'/c{k}/decision') for k in range(4)]
    clients = {name: client(graph, name) for name in CALLS}
    with beside('cameras.py', str(rate_hz), size, *topics) as cameras:
        wait_until(lambda: all(one.ages_ms for one in listeners), 'answers to all cameras')
        first = rounds(clients, seconds / 2)
        halves = [len(one.ages_ms) for one in listeners]
        second = rounds(clients, seconds / 2)
    ends = [len(one.ages_ms) for one in listeners]
    calls_ms = {name: first[name] + second[name] for name in CALLS}
    wait_until(lambda: all(one.is_silent() for one in listeners), 'the last answer')
    return {
        'seconds': seconds, 'sent': cameras.number, 'answered': sum(ends),
        'answered_late': sum(len(one.ages_ms) for one in listeners) - sum(ends),
        'age_ms_first_half': spread([
            ms for one, half in zip(listeners, halves) for ms in one.ages_ms[:half]]),
        'age_ms_second_half': spread([
            ms for one, half in zip(listeners, halves) for ms in one.ages_ms[half:]]),
        'call_ms': spread([ms for name in CALLS for ms in calls_ms[name]]),
        'call_ms_by_service': {name: spread(calls_ms[name]) for name in CALLS},
        'state': graph.state(), 'memory_mb': resident_mb(child.pid),
    }


def rounds(clients: Mapping[str, Any], seconds: float) -> dict[str, list[float]]:
    """Call all services in turn for some time; give how long each took, in ms."""
    took: dict[str, list[float]] = {name: [] for name in CALLS}
    begin_s = time.monotonic()
    for number, (name, (_, request)) in enumerate(cycle(CALLS.items())):
        time.sleep(max(0.0, begin_s + number * ASK_EVERY_S - time.monotonic()))
        if time.monotonic() - begin_s > seconds:
            return took
        took[name].append(call_ms(clients[name], request))
    raise AssertionError('the services have come to an end')


def spread(values: list[float]) -> dict[str, float]:
    """Give median, 95th percentile and most of some values; and how many there are."""
    if not values:
        return {'count': 0}
    p50, p95 = np.percentile(values, (50, 95))
    return {'count': len(values), 'p50': round(float(p50), 1), 'p95': round(float(p95), 1),
            'most': round(max(values), 1)}
