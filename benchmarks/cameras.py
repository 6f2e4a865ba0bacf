"""
Cameras for a load: a process that publishes images of noise on several topics.

    scripts/ros_env .venv/bin/python benchmarks/cameras.py 30 640x480 /c0/image_raw /c1/image_raw

They are stamped with the time of the system. When its standard input ends, it prints how many it
has sent.
"""

from __future__ import annotations

import struct
import sys
from threading import Event, Thread
import time

import numpy as np
import rclpy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

# Of the stamp in a message on the wire: after the four bytes that say how it is written.
STAMP = 4


def image(width: int, height: int, seed: int) -> bytearray:
    """Make an image of noise as it is on the wire."""
    noise = np.random.default_rng(seed).integers(0, 256, 3 * width * height, np.uint8)
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    message.data.frombytes(noise.tobytes())
    message.header.frame_id = 'lens'
    return bytearray(serialize_message(message))


def main() -> int:
    """Publish until standard input ends."""
    rate, size, *topics = sys.argv[1:]
    width, height = map(int, size.split('x'))
    rclpy.init(args=[])
    node = rclpy.create_node('cameras')
    publishers = [node.create_publisher(Image, topic, 10) for topic in topics]
    images = [image(width, height, seed) for seed in range(len(topics))]
    ended, number, begin_s = Event(), 0, time.monotonic()
    Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(max(0.0, begin_s + number / float(rate) - time.monotonic())):
        number += 1
        for publisher, data in zip(publishers, images):
            struct.pack_into('<iI', data, STAMP, *divmod(time.time_ns(), 10 ** 9))
            publisher.publish(bytes(data))
    print(number * len(topics))
    rclpy.shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
