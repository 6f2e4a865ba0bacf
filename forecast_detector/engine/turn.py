"""One frame's turn in a step of the engine: what is known of it, from its header to its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..boxes import Geometry
from ..config import StreamConfig
from ..postprocess import to_image
from ..types import Action, Decision, Detections, Frame, StepResult
from .memory import Maps, Memory
from .reading import Reader
from .rules import break_in_stream, Choice, FIRST, reset, Run, size_change


@dataclass(frozen=True)
class Past:
    """
    What a stream remembers between frames; gone after a reset. A step replaces it whole.

    :ivar memory: of the network, a batch of one.
    :ivar run: of the rules.
    :ivar geometry: how the image that was decoded last lies in the network's input.
    """

    memory: Memory
    run: Run
    geometry: Geometry


@dataclass
class Turn:
    """
    A frame, and what becomes of it.

    :ivar past: None where the stream starts from nothing.
    :ivar loaded: the image, once it is decoded; ``preview``: features of its thumbnail.
    :ivar expected: F of the frame, should it be a FORECAST, once it is known.
    :ivar requests: how many resets had been asked for when the turn began.
    """

    name: str
    frame: Frame
    config: StreamConfig
    past: Past | None
    choice: Choice = FIRST
    loaded: Any = None
    preview: Maps = None
    expected: Maps = None
    requests: int = 0

    def open(self, request: str | None) -> None:
        """
        See whether the frame continues its stream.

        :param request: a reset that was asked for.
        :raises BadFrameError: for a frame that cannot be used.
        """
        if self.past is not None:
            broken = request or break_in_stream(self.past.run, self.frame, self.config)
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
            broken = size_change(self.past.run, self.loaded.geometry.image_size)
            if broken is not None:
                self._start_anew(broken)

    def _start_anew(self, detail: str) -> None:
        self.past, self.choice = None, reset(detail)

    @property
    def reads(self) -> bool:
        """Whether the frame is a READ."""
        return self.choice.action is Action.READ

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

    def remember(self, memory: Memory) -> Past:
        """
        Keep what the next frame of the stream needs.

        :param memory: after this frame, a batch of one.
        """
        if self.past is not None and not self.reads and not self.config.commit_on_forecast:
            memory = memory._replace(state=self.memory.state)
        run = self.past.run if self.past is not None else None
        geometry = self.geometry
        self.past = Past(
            memory, self.choice.follow(run, self.frame, geometry.image_size), geometry
        )
        return self.past

    def result(self, found: Detections, elapsed_ms: float) -> StepResult:
        """
        Put detections into the image's pixels, with the decision behind them.

        :param found: in pixels of the network's input.
        """
        assert self.past is not None
        run = self.past.run
        decision = Decision(
            self.choice.action, self.choice.reason, self.config.p, self.choice.detail,
            self.choice.confidence, run.frames_since_read, run.last_read_stamp_ns, elapsed_ms,
        )
        return StepResult(self.frame.stamp_ns, to_image(found, self.past.geometry), decision)
