"""One backend's steps: by stage, beside a detector of each frame by itself."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
import time

import numpy as np

from ..checkpoint import Checkpoint
from ..config import Backend, StreamConfig
from ..engine import StreamingDetector
from ..engine.reading import FrameReader
from ..postprocess import to_detections
from ..records.benchmark import BackendTimes, OfSize, Stages, Together
from ..types import Action, Policy
from .clock import Clock, REST, StageClock
from .pictures import frame, IMAGE, Images, pan
from .stages import stages_of

# The scheduler is asked, and its answer is not enough.
READ = StreamConfig(policy=Policy.SCHEDULER, p=1.0)
ALONE = StreamConfig(policy=Policy.READ)
# One READ, then forecasts.
FORECAST = StreamConfig(policy=Policy.ALTERNATE, read_every=1_000_000)
# The same, and boxes are carried to all others, which the scheduler is asked about.
CARRIED = StreamConfig(policy=Policy.SCHEDULED_FLOW, p=0.0, accumulate=False)
# A quarter is READ, and the scheduler is asked about every frame.
PERIOD = 4
QUARTER = StreamConfig(
    policy=Policy.SCHEDULER, p=0.0, accumulate=False, max_consecutive_forecasts=PERIOD - 1)
QUARTER_CARRIED = QUARTER.replace(policy=Policy.SCHEDULED_FLOW)
# The same at even distances: nobody asks the scheduler, and the network rests between READs.
QUARTER_FLOW = StreamConfig(policy=Policy.FLOW, read_every=PERIOD)
# What a stream's FORECASTs are taken down as, by the name of the stream.
FORECASTS = '{} forecast'
# Frames before anything is taken down.
WARM = 4
# Objects in a frame, about: boxes are carried, fitted and numbered for each.
OBJECTS = 5


class Stepper:
    """Streams under one configuration, whose steps are taken down under one name."""

    def __init__(
        self, detector: StreamingDetector, config: StreamConfig, clock: Clock, name: str,
        streams: int = 1, judged: bool = True,
    ) -> None:
        self.detector = detector.variant(judges_all=judged)
        self.detector.config = config.replace(score_threshold=detector.config.score_threshold)
        self._clock, self._name, self._streams, self._index = clock, name, streams, 0
        self._action = Action.FORECAST if config in (FORECAST, CARRIED) else Action.READ

    def step(self, images: Images) -> None:
        """
        Step all streams by a frame; the first frames warm up.

        :raises RuntimeError: if a step was not what is measured.
        """
        if self._index < WARM:
            self._step(images)
            return
        with self._clock.measure(self._name):
            actions = self._step(images)
        self._check(actions, {self._action})

    def period(self, images: Images) -> None:
        """
        Step all streams from READ to READ; the time of a frame, and that of a FORECAST, is taken
        down. Once to warm up.

        :raises RuntimeError: if there was not one READ, at the end.
        """
        warm = self._index > 0
        if not warm:
            self._step(images)
        forecasts = FORECASTS.format(self._name)
        with self._clock.measure(self._name, PERIOD):
            with self._clock.measure(forecasts, PERIOD - 1):
                actions = [self._step(images) for _ in range(PERIOD - 1)]
            actions.append(self._step(images))
        if not warm:
            self._clock.forget(self._name)
            self._clock.forget(forecasts)
        for some in actions[:-1]:
            self._check(some, {Action.FORECAST})
        self._check(actions[-1], {Action.READ})

    def _step(self, images: Images) -> set[Action]:
        frames = {str(k): frame(images, self._index + 3 * k) for k in range(self._streams)}
        self._index += 1
        results = self.detector.step(frames).values()
        return {result.or_raise().decision.action for result in results}

    def _check(self, actions: set[Action], expected: set[Action]) -> None:
        if actions != expected:
            named = ' and '.join(action.name for action in actions)
            raise RuntimeError(f'{self._name}: a step was {named}')


@dataclass
class Contestant:
    """
    A detector of one backend, and its times.

    :ivar start_s: what making it took.
    """

    detector: StreamingDetector
    start_s: float
    clock: Clock = field(default_factory=Clock)
    streams: list[Together] = field(default_factory=list)
    sizes: list[OfSize] = field(default_factory=list)

    @classmethod
    def make(cls, checkpoint: Checkpoint, device: str, name: Backend) -> Contestant:
        """Make the detector, and take the time of that."""
        started = time.perf_counter()
        detector = StreamingDetector(checkpoint, None, device, backend=name)
        elapsed_s = time.perf_counter() - started
        # For the plain detector with all its padding.
        detector.prepare(1, also=[detector.input_size])
        detector.config = detector.config.replace(score_threshold=score_of_objects(detector))
        return cls(detector, elapsed_s)

    def prepare(self, streams: int) -> None:
        """Prepare for steps of so many streams."""
        self.detector.prepare(streams)

    def steppers(self) -> list[Stepper]:
        """Prepare the kinds of steps of one stream."""
        return [
            Stepper(self.detector, READ, self.clock, 'read'),
            Stepper(self.detector, ALONE, self.clock, 'alone', judged=False),
            Stepper(self.detector, FORECAST, self.clock, 'forecast', judged=True),
            Stepper(self.detector, CARRIED, self.clock, 'carried'),
        ]

    def quarters(self) -> list[Stepper]:
        """Prepare streams of which a quarter is READ; all but the first carry boxes."""
        return [
            Stepper(self.detector, QUARTER, self.clock, 'quarter'),
            Stepper(self.detector, QUARTER_CARRIED, self.clock, 'quarter_carried'),
            Stepper(self.detector, QUARTER_FLOW, self.clock, 'quarter_flow'),
        ]

    def pair(self, clock: Clock, streams: int = 1) -> list[Stepper]:
        """Prepare READs and FORECASTs of several streams at once."""
        return [
            Stepper(self.detector, READ, clock, 'read', streams),
            Stepper(self.detector, FORECAST, clock, 'forecast', streams),
        ]

    def plain(self, index: int, images: Images) -> None:
        """Detect in a frame by itself; where its input is trimmed, also with all its padding."""
        reader = self.detector.reader
        assert isinstance(reader, FrameReader)
        self._detect('plain', reader, index, images)
        if reader.whole is not reader:
            self._detect('padded', reader.whole, index, images)

    def _detect(self, name: str, reader: FrameReader, index: int, images: Images) -> None:
        detector, config = self.detector, self.detector.config
        with self.clock.measure(name):
            loaded = reader.load(frame(images, index))
            raw = detector.network.detect(reader.read([loaded]))
            to_detections(detector.decoding, raw, config.score_threshold, config.nms_iou,
                          config.max_detections)

    def stages(
        self, config: StreamConfig, frames: int, images: Images, clock: StageClock | None = None
    ) -> Stages:
        """Step one stream with its stages watched."""
        clock = clock or StageClock()
        stepper = Stepper(self.detector, config, clock, 'step')
        for _ in range(WARM):
            stepper.step(images)
        with ExitStack() as stack:
            watched = stages_of(stepper.detector)
            for stage in watched:
                stack.enter_context(clock.watching(*stage))
            for _ in range(frames):
                stepper.step(images)
        names = dict.fromkeys([*(stage.name for stage in watched), REST])
        summed = [times for name in names if (times := clock.stage(name)) is not None]
        return Stages(clock.times('step'), summed)

    def record(self, read: Stages, forecast: Stages) -> BackendTimes:
        """Sum up."""
        return BackendTimes(
            self.detector.backend, self.detector.device_note, self.start_s, read, forecast,
            self.clock.times('read'), self.clock.times('alone'), self.clock.times('forecast'),
            self.clock.times('plain'), self.streams, self.sizes,
            self.clock.times('padded') if 'padded' in self.clock.wall else None,
            self.clock.times('carried'), self.clock.times('quarter'),
            self.clock.times('quarter_carried'), self.clock.times('quarter_flow'),
            self.clock.times(FORECASTS.format('quarter_carried')),
            self.clock.times(FORECASTS.format('quarter_flow')),
        )


def score_of_objects(detector: StreamingDetector) -> float:
    """Find the score from which pictures of noise have some objects, whatever these are."""
    reader = detector.variant(judges_all=False)
    reader.config = ALONE.replace(score_threshold=0.0)
    images = pan(IMAGE)
    scores = [
        reader.step({'noise': frame(images, index)})['noise'].or_raise().detections.scores
        for index in range(WARM)
    ]
    enough = [one[OBJECTS - 1] for one in scores if len(one) >= OBJECTS]
    return float(np.median(enough)) if enough else 0.0
