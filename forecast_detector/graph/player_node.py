"""Plays a bag into the detector, with /clock, and takes down what it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import sys
from threading import Event, Thread
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2DArray, LabelInfo

from forecast_detector.msg import ForecastDecision

from ..bags import BagReader, MessageError, Record
from ..bags.messages import COMPRESSED_IMAGE, default_typestore, stamp_to_ns
from ..bags.reader import parsed
from ..parameter import parameter
from ..replay.heard import HeardWriter, played_topic, write_live
from ..replay.matching import Matcher, SentImage
from ..ros import parameters
from ..ros.conversions import from_ns
from ..ros.qos import keep_all, LATCHED
from ..ros.spin import Done, ending_on_errors, spin
from ..topics import camera_topics
from .recording import BAG_TYPES

CLOCK_S = 0.025
SETTLE_S = 1.0
LIVE_S = 0.2
IMAGE_DEPTH = 30


@dataclass(frozen=True)
class PlayerConfig:
    """What is played, and how."""

    bag: str = parameter('', 'Folder or file of the bag.')
    image_topics: tuple[str, ...] = parameter(
        ('',), 'Image topics of the bag to be played.', example=('/camera/image_raw',),
    )
    out: str = parameter('', 'Folder to write to.')
    rate: float = parameter(
        1.0, 'Times the recorded speed; 0 is as fast as the answers come (lossless).', least=0,
    )
    loop: int = parameter(1, 'How often the bag is played.', least=1)
    lossless: bool = parameter(False, 'Wait for answers, so that none is lost.')
    window: int = parameter(
        8, 'Images of a camera that may be on their way, lossless.', least=1,
    )
    quiet_s: float = parameter(
        5.0, 'Silence after the last image that ends the waiting for answers.', least=0,
    )


class PlayerNode(Node):
    """Publishes the images of a bag as they were recorded; writes what it hears."""

    def __init__(self) -> None:
        """
        Open the bag; playing starts when the detector is there.

        :raises ValueError: if the bag cannot be played.
        """
        super().__init__('player')
        self._config = parameters.declared(self, PlayerConfig)
        self._topics, self._out = self._config.image_topics, Path(self._config.out)
        self._matcher = Matcher(self._topics)
        self._counters: dict[str, dict[str, int]] = {}
        self._writer = HeardWriter(self._out / 'heard')
        self._time = self.create_publisher(ClockMessage, '/clock', 10)
        with BagReader(self._config.bag) as bag:
            self._cameras = {
                topic: self._open(bag.topics[bag.image_topic(topic)], topic)
                for topic in self._topics
            }
        self._ready, self._stop = Event(), Event()
        self._changed_s = time.monotonic()
        self._error: Exception | None = None
        self.create_subscription(LabelInfo, 'label_info', lambda _: self._ready.set(), LATCHED)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._thread = Thread(target=self._run, name='player', daemon=True)
        self._thread.start()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(LIVE_S, self._check, clock=self._steady)

    def close(self) -> None:
        """Stop playing and finish the files."""
        self._stop.set()
        self._thread.join()
        self._writer.close(self._counters)

    def _open(self, kind: str, topic: str) -> Any:
        """Make a camera's publisher, and listen to the answers beside it."""
        name = played_topic(topic, kind)
        (beside,) = camera_topics([name])
        for part, message_type, answers in (
            ('detections', Detection2DArray, beside.detections),
            ('decision', ForecastDecision, beside.decision),
        ):
            self._listen(topic, part, message_type, answers)
        profile = keep_all() if self._config.lossless else QoSProfile(depth=IMAGE_DEPTH)
        return self.create_publisher(
            CompressedImage if kind == COMPRESSED_IMAGE else Image, name, profile
        )

    def _listen(self, topic: str, part: str, message_type: type, answers: str) -> None:
        @ending_on_errors()
        def on_message(data: bytes) -> None:
            message: Any = default_typestore().deserialize_cdr(data, BAG_TYPES[message_type])
            stamp_ns = stamp_to_ns(message.header.stamp)
            shot = self._matcher.hear(topic, part, stamp_ns, data)
            self._changed_s = time.monotonic()
            if shot is not None:
                self._writer.write(shot, self._changed_s)

        self.create_subscription(message_type, answers, on_message, keep_all(), raw=True)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Learn from the node's counters what will not be answered."""
        names = {publisher.topic_name: topic for topic, publisher in self._cameras.items()}
        for status in message.status:
            topic = names.get(status.hardware_id)
            if topic is None:
                continue
            counts = {pair.key: int(pair.value) for pair in status.values
                      if pair.key in ('received', 'processed', 'dropped', 'stale', 'bad')}
            if counts != self._counters.get(topic):
                self._changed_s = time.monotonic()
            self._counters[topic] = counts
            lost = sum(counts.get(name, 0) for name in ('dropped', 'stale', 'bad'))
            self._matcher.lose(topic, lost)

    def _run(self) -> None:
        try:
            self._wait_for_detector()
            for turn in range(self._config.loop):
                self._play(turn)
            self._wait_for_answers()
        except Exception as error:
            self._error = error

    def _wait_for_detector(self) -> None:
        """Wait until it listens, and its answers cannot be missed."""
        publishers = self._cameras.values()
        while not (self._ready.is_set() and all(p.get_subscription_count() for p in publishers)):
            if self._stop.wait(0.05):
                return
        self._stop.wait(SETTLE_S)

    def _play(self, turn: int) -> None:
        counts: Counter[str] = Counter()
        begin_s, first_ns, rate = time.monotonic(), None, self._config.rate
        with BagReader(self._config.bag) as bag:
            records = parsed(bag.records(self._topics), self._tell_broken)
            for record, message in records:
                first_ns = record.log_ns if first_ns is None else first_ns
                after_s = (record.log_ns - first_ns) / 1e9 / rate if rate else 0.0
                self._wait_for_room(record.topic)
                late_s = self._wait_until(begin_s + after_s, record.log_ns)
                begin_s += late_s  # a late image delays the rest: a camera does not rush
                if self._stop.is_set():
                    return
                stamp_ns = stamp_to_ns(message.header.stamp)
                self._publish(record, turn, counts[record.topic], stamp_ns)
                counts[record.topic] += 1

    def _wait_for_room(self, topic: str) -> None:
        """Lossless, let the answers catch up; the clock stands meanwhile."""
        while self._config.lossless and self._matcher.open(topic) >= self._config.window:
            if self._stop.wait(0.001):
                return

    def _wait_until(self, due_s: float, log_ns: int) -> float:
        """
        Wait, while the clock runs towards an image's time.

        :returns: by how much it is late, seconds.
        """
        while (left_s := due_s - time.monotonic()) > 0:
            self._tell_time(log_ns - round(left_s * self._config.rate * 1e9))
            if self._stop.wait(min(left_s, CLOCK_S)):
                return 0.0
        self._tell_time(log_ns)
        return -left_s

    def _tell_time(self, time_ns: int) -> None:
        self._time.publish(ClockMessage(clock=from_ns(max(0, time_ns))))

    def _tell_broken(self, record: Record, error: MessageError) -> None:
        """Tell of a message that cannot be read; it is not played."""
        self.get_logger().warning(f'passed over: {error}')

    def _publish(self, record: Record, turn: int, index: int, stamp_ns: int) -> None:
        self._matcher.send(SentImage(record.topic, turn, index, record.log_ns, stamp_ns))
        self._cameras[record.topic].publish(record.data)
        self._changed_s = time.monotonic()

    def _wait_for_answers(self) -> None:
        """Wait until every image is answered or accounted for, or nothing comes any more."""
        while any(self._matcher.unaccounted(topic) for topic in self._topics):
            quiet_s = time.monotonic() - self._changed_s
            if quiet_s > self._config.quiet_s or self._stop.wait(0.02):
                return

    def _check(self) -> None:
        with ending_on_errors():
            write_live(self._out, self._matcher)
            if not self._thread.is_alive():
                raise self._error or Done


def main(args: Sequence[str] | None = None) -> int:
    """Run the player node."""
    return spin(PlayerNode, args)


if __name__ == '__main__':
    sys.exit(main())
