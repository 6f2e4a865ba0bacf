"""The demo itself: camera, detector and recorder as processes, a live line, a summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
import time
from typing import Any

from ..node import DETECTOR, DEVICE_MARK, UNCONFIGURED_MARK
from .processes import Child, Children, read_live
from .source import Source

CAMERA = 'forecast_detector.graph.camera_node'
RECORDER = 'forecast_detector.graph.recorder_node'
IMAGE_TOPIC = '/camera/image_raw'
POLL_S = 0.2
# Weak detections count in average precision; only those with SHOWN_SCORE are drawn.
SCORE_THRESHOLD = 0.05
SHOWN_SCORE = 0.3
# Of a camera, which may play for days, the last answers are kept; of what ends, all.
KEPT_ANSWERS = 3000


@dataclass(frozen=True)
class Show:
    """
    What is shown.

    :ivar source: what is played.
    :ivar topic: image topic of the bag; '' takes its only one.
    :ivar fps: of the annotated video.
    :ivar frames: at most so many; 0 plays all.
    :ivar rate_hz: images a second; 0 is the source's own rate.
    :ivar start_s: how long the processes may take until the first answer.
    :ivar quiet_s: silence after the last image that ends the recording.
    """

    source: Source
    weights: Path
    out: Path
    p: float
    fps: float
    device: str = 'auto'
    topic: str = ''
    frames: int = 0
    rate_hz: float = 0.0
    start_s: float = 180.0
    quiet_s: float = 5.0

    def camera(self) -> dict[str, Any]:
        """Parameters of the camera node; it starts when detector and recorder listen."""
        return {
            'source': self.source.place,
            'bag_topic': self.topic,
            'frames': self.frames,
            'rate_hz': self.rate_hz,
            'image_topic': IMAGE_TOPIC,
            'subscribers': 2,
        }

    def detector(self) -> dict[str, Any]:
        """Parameters of the detector node."""
        return {
            'weights': str(self.weights.resolve()),
            'device': self.device,
            'p': self.p,
            'image_topics': [IMAGE_TOPIC],
            'score_threshold': SCORE_THRESHOLD,
            'image_timeout_s': 60.0,
            # Best effort would lose large images even on one machine.
            f'qos_overrides.{IMAGE_TOPIC}.subscription.reliability': 'reliable',
        }

    def recorder(self) -> dict[str, Any]:
        """Parameters of the recorder node."""
        return {
            'image_topic': IMAGE_TOPIC,
            'out': str(self.out.resolve()),
            'fps': float(self.fps),
            'shown_score': SHOWN_SCORE,
            'kept_answers': 0 if self.source.ends else KEPT_ANSWERS,
        }


def run(show: Show, say: Callable[[str], None], note: Callable[[str], None]) -> Path:
    """
    Run the processes until the source is played and answered; Ctrl-C ends a camera.

    :param say: given the live line whenever it changes.
    :param note: given, once, where the detector runs and why.
    :returns: the file with the recorder's numbers.
    :raises RuntimeError: if a process fails, or no image is answered; shows the end of what the
        process said.
    """
    live_file = show.out / 'live.json'
    live_file.unlink(missing_ok=True)
    with Children(show.out / 'log') as children:
        recorder = children.start('recorder', RECORDER, show.recorder())
        detector = children.start('detector', DETECTOR, show.detector())
        camera = children.start('camera', CAMERA, show.camera())
        say('starting camera, detector and recorder')
        graph = camera, detector, recorder
        try:
            _watch(show, children, graph, live_file, say, note)
        except KeyboardInterrupt:
            if show.source.ends or not read_live(live_file).get('answers'):
                raise
            camera.ask_to_end()
            _watch(show, children, graph, live_file, say, _ignore)  # for the answers on their way
        for child in (recorder, detector):
            if child.stop() != 0:
                raise child.failure('did not end well')
        numbers = show.out / 'numbers.json'
        check_answered(json.loads(numbers.read_text()), detector)
    live_file.unlink(missing_ok=True)
    return numbers


def _ignore(text: str) -> None:
    """Show nothing."""


def check_answered(numbers: Mapping[str, Any], detector: Child) -> None:
    """:raises RuntimeError: if no image came, or none was answered."""
    if not numbers['images']:
        raise detector.failure('got no image: the source has none, or they were lost')
    if not numbers['answers']:
        raise detector.failure(f'answered none of {numbers["images"]} images')


def _watch(
    show: Show,
    children: Children,
    graph: tuple[Child, Child, Child],
    live_file: Path,
    say: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Wait until the camera has ended and the answers have."""
    camera, detector, recorder = graph
    live: dict[str, Any] = {}
    changed_s = time.monotonic()
    while True:
        time.sleep(POLL_S)
        children.check([detector, recorder])
        if detector.said(UNCONFIGURED_MARK):
            raise detector.failure('could not start')
        if camera.status not in (None, 0):
            raise camera.failure(f'process ended with status {camera.status}')
        news = read_live(live_file)
        if news != live:
            if news.get('answers') and not live.get('answers'):
                note(detector.said(DEVICE_MARK))
            live, changed_s = news, time.monotonic()
            say(live_line(live))
        quiet_s = time.monotonic() - changed_s
        if not live.get('answers') and quiet_s > show.start_s:
            raise detector.failure(f'gave no answer within {show.start_s:g} s')
        done = live.get('images', 0) > 0 and live['answers'] == live['images']
        if camera.status == 0 and (done and quiet_s > 1 or quiet_s > show.quiet_s):
            return


def live_line(live: dict[str, Any]) -> str:
    """Say in one line how the demo is going."""
    if not live.get('answers'):
        return 'waiting for the first answer' if live.get('images') else 'waiting for images'
    return (
        f'{live["images"]} images, {live["read"]} READ, {live["forecast"]} FORECAST; now '
        f'{live["action"]}: {live["objects"]} objects in {live["inference_ms"]:.0f} ms'
    )
