"""Plays a recording or the synthetic world and ends; or passes on a camera of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
import sys
from threading import Event, Thread
import time

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from ..parameter import parameter
from ..ros import parameters
from ..ros.names import resolved
from ..ros.spin import Done, ending_on_errors, spin
from ..topics import beside
from .playback import ClipSource, delayed, open_source

SETTLE_S = 1.0
ACKNOWLEDGE_S = 10
IMAGE_DEPTH = 30


@dataclass(frozen=True)
class CameraConfig:
    """What is played, and where."""

    source: str = parameter(
        'synthetic', 'synthetic, a video file, a camera (/dev/video0), or a rosbag2 folder or '
        '.mcap file.',
    )
    bag_topic: str = parameter('', 'Image topic of the bag; empty takes its only one.')
    image_topic: str = parameter('camera/image_raw', 'Topic to publish on; truth goes beside it.')
    frame_id: str = parameter('camera', 'Frame of the images; those of a bag keep theirs.')
    frames: int = parameter(
        0, 'Ends after so many images; 0 plays all (the synthetic world: 150).', least=0,
    )
    rate_hz: float = parameter(0.0, 'Images a second; 0 is the rate of the source.', least=0)
    seed: int = parameter(0, 'Which synthetic world.', least=0)
    subscribers: int = parameter(1, 'Starts when the images have so many subscribers.', least=0)


class CameraNode(Node):
    """Publishes images at a rate, reliably, and the truth beside them where it is known."""

    def __init__(self) -> None:
        """
        Open the source; playing starts when the subscribers are there.

        :raises ValueError: if the source cannot be played, or a parameter is given wrongly.
        :raises FileNotFoundError: if there is no such file.
        """
        super().__init__('camera')
        self._config = config = parameters.declared(self, CameraConfig)
        topic = resolved(self, 'image_topic', config.image_topic)
        self._images = self.create_publisher(Image, topic, QoSProfile(depth=IMAGE_DEPTH))
        latched = QoSProfile(
            history=HistoryPolicy.KEEP_ALL, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self._truth = self.create_publisher(Detection2DArray, beside(topic, 'truth'), latched)
        self._source = open_source(
            config.source, config.frame_id, config.frames, config.rate_hz, config.seed,
            config.bag_topic,
        )
        self._error: Exception | None = None
        self._stop = Event()
        self._thread = Thread(target=self._run, name='camera', daemon=True)
        self._thread.start()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(0.1, self._check, clock=self._steady)

    def close(self) -> None:
        """Stop playing."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._wait_for_subscribers()
            self._play()
        except Exception as error:
            self._error = error

    def _wait_for_subscribers(self) -> None:
        wanted, topic = self._config.subscribers, self._images.topic_name
        self.get_logger().info(f'waiting for {wanted} subscribers on {topic}')
        while self._images.get_subscription_count() < wanted and not self._stop.wait(0.05):
            pass
        self._stop.wait(SETTLE_S)  # their answers' subscribers are matched meanwhile

    def _play(self) -> None:
        begin_s, count = time.monotonic(), 0
        planned_s = begin_s
        shots = self._source.shots(self.get_clock().now().nanoseconds)
        for shot in islice(shots, self._config.frames or None):
            early_s = begin_s + shot.after_s - time.monotonic()
            if self._stop.wait(max(0.0, early_s)):
                return
            begin_s -= min(0.0, early_s)  # a late image delays the rest: a camera does not rush
            if isinstance(self._source, ClipSource):
                delayed(shot, begin_s - planned_s)  # its stamps keep up with time
            if shot.truth is not None:
                self._truth.publish(shot.truth)
            self._images.publish(shot.image)
            count += 1
        for publisher in (self._images, self._truth):
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        self.get_logger().info(f'played {count} images')

    def _check(self) -> None:
        if not self._thread.is_alive():
            with ending_on_errors():
                raise self._error or Done


def main(args: Sequence[str] | None = None) -> int:
    """Run the camera node."""
    return spin(CameraNode, args)


if __name__ == '__main__':
    sys.exit(main())
