"""
A subscriber that does nothing with its images: what the middleware and rclpy take by themselves.

    scripts/ros_env .venv/bin/python benchmarks/bare.py /c0/image_raw /c1/image_raw/compressed
    sleep 30 | scripts/ros_env .venv/bin/python benchmarks/bare.py --best-effort /c0/image_raw

It is reliable where nothing else is said. It ends with its standard input, and prints how many it
got.
"""

from __future__ import annotations

from contextlib import suppress
import os
import sys
from threading import Event, Thread

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

# As the detector's, once it follows its publishers.
DEPTH = 5


def main() -> int:
    """Listen until standard input ends."""
    rclpy.init(args=[])
    node, got, ended = rclpy.create_node('bare'), [0], Event()

    def hear(_: object) -> None:
        got[0] += 1

    best_effort = '--best-effort' in sys.argv
    qos = QoSProfile(depth=DEPTH, reliability=(
        ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE))
    for topic in sys.argv[1 + best_effort:]:
        kind = CompressedImage if topic.endswith('/compressed') else Image
        node.create_subscription(kind, topic, hear, qos)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # a line of the middleware for each such message
    Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not ended.is_set():
        with suppress(RuntimeError):  # for bytes that are no message
            executor.spin_once(timeout_sec=0.1)
    print(got[0])
    rclpy.shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
