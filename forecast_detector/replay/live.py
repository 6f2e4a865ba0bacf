"""The live way: the bag is played into the detector node, both as processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
import time
from typing import Any

from ..bags import BagReader
from ..config import StreamConfig
from ..demo.processes import Child, Children, read_live
from ..node import DETECTOR, DEVICE_MARK, UNCONFIGURED_MARK
from ..parameter import describe, plain
from .answers import Answer
from .heard import played_topic, read_counters, read_heard
from .matching import stands_still
from .recording import Recording

PLAYER = 'forecast_detector.graph.player_node'
POLL_S = 0.1
# Images of a camera that may be on their way, lossless.
WINDOW = 8


@dataclass(frozen=True)
class LiveReplay:
    """
    How a bag is played.

    :ivar weights: file.
    :ivar out: folder for the logs and what is heard.
    :ivar rate: times the recorded speed; 0 is as fast as the answers come (lossless).
    :ivar quiet_s: silence after the last image that ends the waiting for answers.
    :ivar start_s: how long the processes may take until the first answer.
    """

    recording: Recording
    config: StreamConfig
    weights: Path
    out: Path
    device: str = 'auto'
    input_size: tuple[int, int] | None = None
    resize: str | None = None
    rate: float = 1.0
    turns: int = 1
    lossless: bool = False
    quiet_s: float = 5.0
    start_s: float = 180.0

    def topics(self) -> dict[str, str]:
        """Return each image topic of the bag, and the one that it is played on."""
        with BagReader(self.recording.path) as bag:
            return {topic: played_topic(topic, bag.topics[topic])
                    for topic in self.recording.cameras}

    def detector(self) -> dict[str, Any]:
        """Parameters of the detector node: the streams are configured as offline."""
        return {
            **{name: plain(getattr(self.config, name)) for name in describe(StreamConfig)},
            'weights': str(self.weights.resolve()),
            'device': self.device,
            'image_topics': list(self.topics().values()),
            'input_size': list(self.input_size or (0, 0)),
            'resize': self.resize or '',
            'lossless': self.lossless,
            'image_timeout_s': 60.0,
            'use_sim_time': True,
        }

    def player(self) -> dict[str, Any]:
        """Parameters of the player node."""
        return {
            'bag': str(self.recording.path.resolve()),
            'image_topics': list(self.recording.cameras),
            'out': str(self.out.resolve()),
            'rate': float(self.rate),
            'loop': self.turns,
            'lossless': self.lossless,
            'window': 1 if self._still() else WINDOW,
            # A slow machine may be silent for long, and is waited for, if nothing may be lost.
            'quiet_s': 60.0 if self.lossless else self.quiet_s,
        }

    def _still(self) -> list[str]:
        """List the cameras whose stamps do not tell the images apart that are on their way."""
        return [
            topic for topic, clip in self.recording.clips.items()
            if stands_still([clip.stamp_ns(index) for index in range(len(clip))])
        ]

    def check(self) -> None:
        """
        See that answers can be kept apart.

        :raises ValueError: if the node may drop images, and those around have the same stamp.
        """
        still = self._still()
        if still and not self.lossless:
            first = self.recording.clips[still[0]].stamp_ns(0)
            raise ValueError(
                f'{self.recording.path}: images of {", ".join(still)} that follow each other have '
                f'the same stamp (the first has {first} ns), so that nobody can say which of them '
                f'a node that drops images has answered; give --lossless, or replay offline'
            )

    def play(self, say: Callable[[str], None], note: Callable[[str], None]) -> str:
        """
        Run the processes until the bag is played and answered.

        :param say: given the live line whenever it changes.
        :param note: given, once, where the detector runs and why.
        :returns: the sentence given to ``note``.
        :raises RuntimeError: if a process fails; shows the end of what it said.
        """
        with Children(self.out / 'log') as children:
            detector = children.start('detector', DETECTOR, self.detector())
            player = children.start('player', PLAYER, self.player())
            say('starting detector and player')
            device = self._watch(children, detector, player, say, note)
            for child in (player, detector):
                if child.stop() != 0:
                    raise child.failure('did not end well')
        return device

    def answers(self, labels: tuple[str, ...]) -> Iterator[Answer]:
        """Read what was heard, see :func:`~.heard.read_heard`."""
        return read_heard(self.out / 'heard', self.recording, labels)

    def bad(self) -> dict[str, int]:
        """Return how many images of each topic the node could not use."""
        counters = read_counters(self.out / 'heard')
        return {topic: counters.get(topic, {}).get('bad', 0) for topic in self.recording.cameras}

    def _watch(
        self, children: Children, detector: Child, player: Child, say: Callable[[str], None],
        note: Callable[[str], None],
    ) -> str:
        """Wait until the player has ended; return where the detector runs."""
        device, begin_s = '', time.monotonic()
        while True:
            ended = player.status is not None
            if player.status not in (None, 0):
                raise player.failure(f'process ended with status {player.status}')
            children.check([detector])
            if detector.said(UNCONFIGURED_MARK):
                raise detector.failure('could not start')
            if not device:
                device = detector.said(DEVICE_MARK)
                if device:
                    note(device)
            live = read_live(self.out / 'live.json')
            if live.get('answers'):
                say(f'{live["images"]} images, {live["answers"]} answered')
            elif time.monotonic() - begin_s > self.start_s:
                raise detector.failure(f'gave no answer within {self.start_s:g} s')
            if ended:
                return device
            time.sleep(POLL_S)
