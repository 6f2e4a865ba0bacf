"""Records a camera and the detector's answers: a bag, an annotated video, the raw numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import sys
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from forecast_detector.msg import ForecastDecision

from ..annotate import annotate, VideoWriter
from ..bags import BagWriter
from ..bags.messages import default_typestore, stamp_to_ns
from ..bags.parsing import decision_of, detections_of, objects_of
from ..bags.reader import frame_from_message
from ..demo.counts import Counts
from ..parameter import parameter
from ..ros import parameters
from ..ros.names import resolved
from ..ros.qos import keep_all
from ..ros.spin import ending_on_errors, spin
from ..topics import beside
from ..types import Action, BadFrameError
from ..writing import write_whole
from .recording import Answered, BAG_TYPES, Joiner, numbers_of

LIVE_PERIOD_S = 0.2
# Smaller images are enlarged for the video, so that names can be read, pixels.
DRAWN_HEIGHT = 480


@dataclass(frozen=True)
class RecorderConfig:
    """What is recorded, and where to."""

    image_topic: str = parameter(
        'camera/image_raw', 'The images; answers and truth are found beside them.',
    )
    out: str = parameter(
        'out/demo', 'Folder to write to; what a recording left there is replaced.',
    )
    fps: float = parameter(15.0, 'Frames a second of the video.', least=0)
    shown_score: float = parameter(0.3, 'Boxes with a lower score are not drawn.', least=0, most=1)
    kept_answers: int = parameter(
        0, 'So many answers, the last ones, stand in numbers.json; 0 keeps all, in memory, too.',
        least=0,
    )


class RecorderNode(Node):
    """Writes ``bag/``, ``annotated.mp4``, ``numbers.json``, and ``live.json`` while it runs."""

    def __init__(self) -> None:
        """
        Open the files; images are subscribed to once the detector is there.

        :raises OSError: if the folder cannot be written.
        :raises ValueError: if a parameter is given wrongly.
        """
        super().__init__('recorder')
        config = parameters.declared(self, RecorderConfig)
        self._out, self._shown_score = Path(config.out), config.shown_score
        self._topic = resolved(self, 'image_topic', config.image_topic)
        self._bag = BagWriter(self._out / 'bag')
        self._video = VideoWriter(self._out / 'annotated.mp4', config.fps)
        self._joiner = Joiner()
        self._labels: list[str] = []
        self._images = 0
        self._counts = Counts()
        self._answers: deque[dict[str, Any]] = deque(maxlen=config.kept_answers or None)
        self._truth: dict[int, Any] = {}
        self._listen('detections', Detection2DArray)
        self._listen('decision', ForecastDecision)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._waiting = self.create_timer(0.05, self._wait_for_detector, clock=self._steady)
        self.create_timer(LIVE_PERIOD_S, self._write_live, clock=self._steady)

    def close(self) -> None:
        """Finish the files."""
        self._bag.close()
        if self._video.frames:
            self._video.close()
        for answer in self._answers:
            truth = self._truth.get(answer['stamp_ns'])
            answer['truth'] = None if truth is None else objects_of(truth)
        numbers = {
            'images': self._images,
            'shown_score': self._shown_score,
            'counts': vars(self._counts),
            'answers': list(self._answers),
        }
        write_json(self._out / 'numbers.json', numbers)

    def _listen(self, name: str, kind: type, qos: QoSProfile | None = None) -> None:
        """Subscribe to a topic beside the images; everything heard goes into the bag."""
        topic = self._topic if name == 'image' else beside(self._topic, name)
        bag_type = BAG_TYPES[kind]

        @ending_on_errors()
        def on_message(data: bytes) -> None:
            message: Any = default_typestore().deserialize_cdr(data, bag_type)
            stamp_ns = stamp_to_ns(message.header.stamp)
            self._bag.write(topic, bag_type, message, stamp_ns)
            self._take(name, stamp_ns, message)

        self.create_subscription(kind, topic, on_message, qos or keep_all(), raw=True)

    def _wait_for_detector(self) -> None:
        """Subscribe to the images when the answers to the first one cannot be missed any more."""
        names = (beside(self._topic, name) for name in ('detections', 'decision'))
        if not all(self.count_publishers(name) for name in names):
            return
        self._waiting.cancel()
        latched = QoSProfile(
            history=HistoryPolicy.KEEP_ALL, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self._listen('truth', Detection2DArray, latched)
        self._listen('image', Image)

    def _take(self, name: str, stamp_ns: int, message: Any) -> None:
        if name == 'truth':
            self._truth[stamp_ns] = message
            return
        self._images += name == 'image'
        answered = self._joiner.add(stamp_ns, name, message)
        if answered:
            self._answers.append(numbers_of(answered))
            self._counts.add(self._answers[-1], self._shown_score)
            self._draw(answered)

    def _draw(self, answered: Answered) -> None:
        """Add a frame to the video."""
        try:
            image = frame_from_message(answered.image, BAG_TYPES[Image], self._topic).load()
        except BadFrameError:
            return
        decision = decision_of(answered.decision)
        detections = detections_of(answered.detections, self._labels).above(self._shown_score)
        scale = max(1.0, DRAWN_HEIGHT / image.shape[0])
        self._video.write(annotate(image, detections, self._labels, decision, scale=scale))

    @ending_on_errors()
    def _write_live(self) -> None:
        """Tell how it goes, for whoever watches."""
        live: dict[str, Any] = {'images': self._images, 'answers': self._counts.answers}
        if self._answers:
            last = self._answers[-1]
            live |= {
                'read': self._counts.read,
                'forecast': self._counts.forecast,
                'action': Action(last['action']).name,
                'inference_ms': last['inference_ms'],
                'objects': sum(o[4] >= self._shown_score for o in last['objects']),
            }
        write_json(self._out / 'live.json', live)


def write_json(path: Path, values: Any) -> None:
    """Write a file at once: readers see the old one or the new one."""
    write_whole(path, json.dumps(values), durable=False)


def main(args: Sequence[str] | None = None) -> int:
    """Run the recorder node."""
    return spin(RecorderNode, args)


if __name__ == '__main__':
    sys.exit(main())
