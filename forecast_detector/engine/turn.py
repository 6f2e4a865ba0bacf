"""One frame's turn in a step of the engine: what is known of it, from its header to its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..blending import blended, WEAKEST
from ..boxes import Geometry
from ..carrying import within
from ..config import StreamConfig
from ..flow import Flow
from ..kept import Kept, SmallPicture
from ..layout import array
from ..postprocess import to_image
from ..types import (
    Action,
    BadFrameError,
    Decision,
    Detections,
    Frame,
    Policy,
    StepFailure,
    StepResult,
)
from .memory import Maps, Memory
from .reading import Reader
from .recurrence import Forecaster
from .rules import (
    break_in_stream,
    Choice,
    choose,
    FIRST,
    forced,
    policy_change,
    reset,
    size_change,
)
from .stream import Past, Stream


def carries_along(policy: Policy, forecaster: Forecaster) -> bool:
    """Say whether a policy carries boxes by the motion that the scheduler is asked about."""
    return policy.carries and policy.takes_p and forecaster.moves


@dataclass
class Turn:
    """
    A frame, and what becomes of it.

    :ivar past: of the stream; None where that starts from nothing.
    :ivar loaded: the image, once it is decoded; ``preview``: features of its thumbnail.
    :ivar expected: what F of the frame is made of, should it be a FORECAST, once it is known;
        ``surprise``: what of the picture that does not explain.
    :ivar after: what the network remembers of the frame, a batch of one; None where it rests.
    :ivar found: the answer, in pixels of the image, once there is one.
    :ivar carried: the boxes that go on to the next frame, where they are carried by motion of
        their own; ``kept``: where that is the forecaster's, or forecasts are blended with them.
    :ivar resets: how many had been asked for when the turn began.
    """

    name: str
    stream: Stream
    frame: Frame
    config: StreamConfig
    past: Past | None = None
    choice: Choice = FIRST
    loaded: Any = None
    preview: Maps = None
    expected: Maps = None
    surprise: Tensor | None = None
    after: Memory | None = None
    found: Detections = field(default_factory=Detections)
    kept: Kept | None = None
    resets: int = 0

    def open(self) -> None:
        """
        See whether the frame continues its stream.

        :raises BadFrameError: for a frame that cannot be used. Nothing is changed by then.
        """
        self.past, self.resets = self.stream.past, len(self.stream.resets)
        if self.past is not None:
            asked = self.stream.resets[-1] if self.resets else None
            broken = (
                asked or policy_change(self.past.policy, self.config.policy)
                or break_in_stream(self.past.since_read, self.frame, self.config)
            )
            if broken is not None:
                self._start_anew(broken)

    def load(self, reader: Reader) -> None:
        """
        Decode the image, once; a size that only this tells may start the stream anew.

        :raises BadFrameError: if it cannot be used.
        """
        if self.loaded is not None:
            return
        self.loaded = reader.load(self.frame)
        if self.past is not None:
            broken = size_change(self.past.since_read, self.loaded.geometry.image_size)
            if broken is not None:
                self._start_anew(broken)

    def _start_anew(self, detail: str) -> None:
        self.past, self.choice = None, reset(detail)

    def choose(self, confidence: float, held: str) -> None:
        """Choose READ or FORECAST, see :func:`~.rules.choose`, unless the stream starts anew."""
        if self.past is not None:
            chosen = choose(self.past.since_read, confidence, self.config, held)
            self.choice = forced(chosen, self.stream.read)

    def settle(self, reader: Reader) -> None:
        """
        Decode the image of a READ; what was asked for is done then.

        :raises BadFrameError: for an image that cannot be used. Nothing is changed by then.
        """
        if self.reads:
            self.load(reader)
        del self.stream.resets[:self.resets]
        if self.reads:
            self.stream.read = None

    @property
    def reads(self) -> bool:
        """Whether the frame is a READ."""
        return self.choice.action is Action.READ

    @property
    def is_carried(self) -> bool:
        """Whether boxes of the last READ, carried to the frame, are its answer."""
        return not self.reads and self.config.policy.carries

    @property
    def rests(self) -> bool:
        """Whether the network does not even step, as nobody asks it for a forecast."""
        return self.is_carried and not self.config.policy.takes_p

    def is_judged(self, judges_all: bool) -> bool:
        """
        Say whether the scheduler is asked about the frame.

        :param judges_all: also where it does not decide. A network that rests between READs has
            no forecast that could be judged, however.
        """
        policy = self.config.policy
        asked = policy.takes_p or (judges_all and not policy.carries)
        return self.past is not None and asked

    @property
    def memory(self) -> Memory:
        """What the stream remembers, a batch of one; only of a stream that goes on."""
        assert self.past is not None
        return self.past.memory

    @property
    def geometry(self) -> Geometry:
        """How the image lies in the input: this frame's, or that of the stream."""
        if self.past is None or self.loaded is not None:
            geometry: Geometry = self.loaded.geometry
            return geometry
        return self.past.geometry

    def carries_along(self, forecaster: Forecaster) -> bool:
        """Say whether boxes are carried by the motion that the scheduler is asked about."""
        return carries_along(self.config.policy, forecaster)

    def blends(self, forecaster: Forecaster) -> bool:
        """Say whether forecasts of the stream are blended with the boxes of READs."""
        return self.config.blend and forecaster.moves and not self.config.policy.carries

    def least_score(self, forecaster: Forecaster) -> float:
        """Give the score of the weakest detections that are asked for."""
        least = self.config.score_threshold
        return min(least, WEAKEST) if self.blends(forecaster) else least

    def detect(self, found: Detections, forecaster: Forecaster) -> None:
        """
        Take what the head gives for the answer, a forecast's blended with what is kept.

        :param found: in pixels of the network's input.
        """
        if self.reads and self.carries_along(forecaster):
            self.kept = self._read(found, forecaster)
        elif self.reads and self.blends(forecaster):
            self.kept = self._read(found.above(WEAKEST), forecaster)
        elif self.blends(forecaster):
            self.kept = self._moved(forecaster)
            found = blended(self.kept, found, self.config.score_threshold)
        self._show(found)

    @property
    def _before(self) -> Kept:
        """What is kept of the frame before."""
        return (self.past and self.past.kept) or Kept()

    def _thumbnail(self, forecaster: Forecaster) -> SmallPicture:
        """Give the picture that the network's motion is measured on; boxes are in its input."""
        grey, blurred = (array(one)[0, ..., 0] for one in forecaster.grey(self.preview))
        return SmallPicture.within(grey, blurred, self.geometry.input_size)

    def _motion(self, forecaster: Forecaster) -> Flow | None:
        """Give how the picture moved since the frame before, as far as anybody asked."""
        if self.expected is None:
            return None
        flow: Flow = array(forecaster.motion(self.expected))[0]
        return flow

    def _read(self, found: Detections, forecaster: Forecaster) -> Kept:
        """Keep the boxes of this frame, a READ, in pixels of the network's input."""
        return self._before.read(found, self._thumbnail(forecaster), self._motion(forecaster))

    def _moved(self, forecaster: Forecaster) -> Kept:
        """Carry what is kept to this frame, which is a FORECAST."""
        return self._before.moved(self._thumbnail(forecaster), self._motion(forecaster))

    def _show(self, found: Detections) -> None:
        """Take detections, in pixels of the network's input, for the answer."""
        self.found = to_image(found.above(self.config.score_threshold), self.geometry)

    def carry(self, reader: Reader, forecaster: Forecaster) -> None:
        """Where boxes are carried, take in those of a READ or carry the last ones on."""
        if not self.config.policy.carries:
            return
        if self.carries_along(forecaster):
            if not self.reads:
                self.kept = self._moved(forecaster)
                self._show(self.kept.doubted(self.config.score_threshold))
            return
        picture = reader.picture(self.loaded)
        if self.reads:
            self.kept = self._before.read(self.found, picture)
        else:
            self.kept = self._before.moved(picture)
            # It may have been raised since the READ.
            least, size = self.config.score_threshold, self.geometry.image_size
            self.found = within(self.kept.doubted(least), size).above(least)

    def follow(self) -> None:
        """Where objects are followed, number those of the answer."""
        tracker = self.stream.tracker
        if self.choice.starts or not self.config.track:
            tracker.start()
        if self.config.track:
            self.found = tracker.follow(self.found)

    def remember(self) -> None:
        """Keep what the next frame of the stream needs."""
        memory = self.after or self.memory
        if self.past is not None and not self.reads and not self.config.commit_on_forecast:
            memory = memory._replace(state=self.memory.state)
        run = self.past.since_read if self.past is not None else None
        geometry = self.geometry
        self.stream.past = self.past = Past(
            memory, self.choice.follow(run, self.frame, geometry.image_size), geometry,
            self.config.policy, self.kept, self.surprise,
        )

    def result(self, elapsed_ms: float) -> StepResult:
        """Give the answer, with the decision behind it."""
        assert self.past is not None
        run = self.past.since_read
        decision = Decision(
            self.choice.action, self.choice.reason, self.config.p, self.choice.detail,
            self.choice.confidence, run.frames_since_read, run.last_read_stamp_ns, elapsed_ms,
        )
        return StepResult(self.frame.stamp_ns, self.found, decision)


def keep_good(
    turns: Sequence[Turn], action: Callable[[Turn], None],
    results: dict[str, StepResult | StepFailure],
) -> list[Turn]:
    """Do something for each frame, and leave out those that turn out not to be usable."""
    good = []
    for turn in turns:
        try:
            action(turn)
            good.append(turn)
        except BadFrameError as error:
            results[turn.name] = StepFailure(turn.frame.stamp_ns, error)
    return good
