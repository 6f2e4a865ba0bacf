"""
Look for cameras in the ROS graph: their types, quality of service and rates, as JSON on stdout.

A process of its own (``python -m forecast_detector.ros.survey SECONDS``), so that commands that
know no ROS can ask.
"""

from __future__ import annotations

from collections import deque
import json
import os
import sys
import time
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.utilities import get_rmw_implementation_identifier

from ..legible import legible, line
from ..types import Frame
from .conversions import frame_from_message, to_ns
from .image_types import KINDS
from .qos import image_qos

# Topics that have been the same for so long are all. Whoever missed a first announcement hears the
# next one after three seconds, so no topic at all has to stay that for longer.
SETTLED_S, NONE_S = 3.0, 8.0
MOST_S = 20.0
LOOK_S = 0.2
# A subscription to each would be a load.
MOST = 16
# Pixels are decoded of so many of a camera's last images: one that is damaged says little.
DECODED = 3
# What the detector and tools publish; no cameras.
OWN = ('/overlay', '/overlay/compressed', '/surprise')


class Listener:
    """Hears one image topic."""

    def __init__(self, node: Node, topic: str, kind: str) -> None:
        """Subscribe, reliably if all publishers are."""
        publishers = node.get_publishers_info_by_topic(topic)
        reliable = [
            p.qos_profile.reliability == ReliabilityPolicy.RELIABLE for p in publishers
        ]
        self._node, self._ages_s = node, list[float]()
        self._times_s = list[float]()
        self._stamps_ns = set[int]()
        self._bad, self._why = 0, ''
        self._newest: deque[Frame] = deque(maxlen=DECODED)
        self._found: dict[str, Any] = {
            'topic': topic, 'type': kind, 'publishers': len(publishers),
            'reliability': 'reliable' if all(reliable) else 'best effort', 'images': '',
        }
        node.create_subscription(KINDS[kind], topic, self._hear, image_qos(all(reliable)))

    def _hear(self, message: Any) -> None:
        self._times_s.append(time.monotonic())
        now_ns, stamp_ns = self._node.get_clock().now().nanoseconds, to_ns(message.header.stamp)
        self._ages_s.append((now_ns - stamp_ns) / 1e9)
        self._stamps_ns.add(stamp_ns)
        if hasattr(message, 'format'):
            self._found['images'] = legible(message.format)
        else:
            size = f'{message.width}x{message.height}'
            self._found['images'] = f'{size} {legible(message.encoding)}'
        try:
            self._newest.append(frame_from_message(message))
        except Exception as error:  # as in the node, which refuses it with this reason
            self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self._bad, self._why = self._bad + 1, line(error)

    def figures(self) -> dict[str, Any]:
        """
        Sum up; rate and age are None where too little came.

        ``usable`` says whether the node could detect in any of the images, ``why`` what it has
        against the ``bad`` ones.
        """
        times, usable = self._times_s, False
        for frame in self._newest:
            try:
                height, width = frame.load().shape[:2]
            except Exception as error:
                self._refuse(error)
                continue
            usable = True
            if frame.size is None:  # it is known only now
                self._found['images'] = f'{width}x{height} {legible(frame.encoding)}'
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 else None
        age = sorted(self._ages_s)[len(times) // 2] if times else None
        return {
            **self._found, 'received': len(times), 'rate_hz': rate, 'age_s': age,
            'stamped': self._stamps_ns != {0}, 'usable': usable, 'bad': self._bad,
            'why': self._why,
        }


def survey(seconds: float) -> dict[str, Any]:
    """
    Look and listen.

    :param seconds: to listen for.
    """
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('forecast_detector_survey', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    topics = discovered(node, executor)
    listeners = [Listener(node, topic, kind) for topic, kind in topics[:MOST]]
    if listeners:
        _spin(executor, seconds)
    detectors = [
        f'{space.rstrip("/")}/{name}' for name, space in node.get_node_names_and_namespaces()
        if any('forecast_detector/msg/ForecastDecision' in kinds for _, kinds in
               node.get_publisher_names_and_types_by_node(name, space))
    ]
    found = {
        'distribution': os.environ.get('ROS_DISTRO', ''),
        'middleware': get_rmw_implementation_identifier(),
        'domain': context.get_domain_id(), 'cameras': [one.figures() for one in listeners],
        'left_out': max(0, len(topics) - MOST), 'detectors': sorted(detectors),
    }
    executor.shutdown()
    rclpy.shutdown(context=context)
    return found


def discovered(node: Node, executor: SingleThreadedExecutor) -> list[tuple[str, str]]:
    """List the image topics that have a publisher, with their types, once no more come up."""
    topics = _topics(node)
    begin_s = changed_s = time.monotonic()
    while True:
        _spin(executor, LOOK_S)
        now_s, found = time.monotonic(), _topics(node)
        if found != topics:
            topics, changed_s = found, now_s
        if now_s - changed_s >= (SETTLED_S if topics else NONE_S) or now_s - begin_s >= MOST_S:
            return topics


def _topics(node: Node) -> list[tuple[str, str]]:
    return [
        (topic, kind) for topic, kinds in sorted(node.get_topic_names_and_types())
        for kind in kinds if kind in KINDS and not topic.endswith(OWN)
        and node.count_publishers(topic)
    ]


def _spin(executor: SingleThreadedExecutor, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left_s)


def main() -> int:
    """Print what there is."""
    print(json.dumps(survey(float(sys.argv[1]))))
    return 0


if __name__ == '__main__':
    sys.exit(main())
