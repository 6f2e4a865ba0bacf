"""The streaming engine: one model, many streams, READ or FORECAST frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
import math
import time

import torch

from ..carrying import within
from ..checkpoint import Checkpoint
from ..config import Backend, Resize, StreamConfig
from ..postprocess import to_image
from ..types import Budget, Detections, Frame, StepFailure, StepResult
from .budget import Steering
from .machinery import Machinery
from .memory import Memory
from .reading import Reader
from .recurrence import Expected, Forecaster
from .stream import Streams
from .surprise import FloatMap, over_image
from .turn import carries_along, keep_good, Turn


class StreamingDetector(Machinery):
    """
    Step streams of frames through the network, gated by the scheduler.

    Streams are named by the caller and come into being with their first frame. All share one
    set of weights; the frames of one call are one batched step.

    :ivar steering: moves p where the configuration has a budget.
    :ivar config: may be replaced at any time, from any thread; a step takes it up as it starts.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        config: StreamConfig | None = None,
        device: str = 'auto',
        input_size: tuple[int, int] | None = None,
        resize: Resize | None = None,
        backend: Backend = 'auto',
    ) -> None:
        """
        Prepare the network on a device; with new weights its export takes seconds, once.

        :param device: see :func:`~forecast_detector.device.select_device`.
        :param input_size: (height, width) of the network's input, instead of the trained one.
        :param resize: ``letterbox``, ``corner``, ``trim`` or ``stretch``; None is as trained.
        :param backend: see :func:`~forecast_detector.backends.choice.connect`.
        :raises ValueError: for a device or a backend that is missing, or an input size off the
            grid of 32.
        """
        super().__init__(checkpoint, device, input_size, resize, backend)
        self.config = config or StreamConfig()
        self.steering, self._streams, self._judges_all = Steering(), Streams(), True

    def variant(
        self, reader: Reader | None = None, forecaster: Forecaster | None = None,
        judges_all: bool = True,
    ) -> StreamingDetector:
        """
        Make a detector with the same network, and streams of its own.

        :param reader: another source of features.
        :param forecaster: another way to get F of frames that are not read.
        :param judges_all: whether the scheduler is asked under fixed policies, too, where it has
            no say; its confidence is then NaN.
        """
        other = copy(self)
        other.reader, other.forecaster = reader or self.reader, forecaster or self.forecaster
        other.steering, other._streams, other._judges_all = Steering(), Streams(), judges_all
        return other

    def reset(self, stream: str | None = None, detail: str = 'reset requested') -> None:
        """
        Forget a stream's past (all streams': None); its next frame is a READ.

        May be called from any thread; it takes effect when the next step starts.

        :param detail: carried by the next decision.
        """
        for one in self._streams.named(stream):
            one.resets.append(detail)

    def force_read(self, stream: str | None = None, detail: str = 'READ requested') -> None:
        """
        READ the next frame of a stream (of all streams: None), which goes on otherwise.

        May be called from any thread; it takes effect when the next step starts.

        :param detail: carried by the next decision, where that would have been a FORECAST.
        """
        for one in self._streams.named(stream):
            one.read = detail

    def forget(self, stream: str) -> None:
        """Drop a stream that will not come back."""
        self._streams.pop(stream, None)

    def memory(self, stream: str) -> Memory | None:
        """Return what a stream remembers, a batch of one; None before its first frame."""
        past = self._streams.past(stream)
        return past.memory if past else None

    @torch.inference_mode()
    def expect(self, stream: str, frame: Frame) -> Expected | None:
        """
        Say what F of a stream's next frame would be, were it a FORECAST; nothing is changed.

        :returns: None before the first frame, and where the network peeks and the image has
            another size: there is no forecast of it.
        :raises BadFrameError: where the network peeks, for a frame that cannot be used.
        """
        memory = self.memory(stream)
        if memory is None:
            return None
        peeks = self.forecaster.reduction
        if not peeks:
            return self.forecaster.expect(memory)
        loaded, past = self.reader.load(frame), self._streams.past(stream)
        if past is None or loaded.geometry.image_size != past.geometry.image_size:
            return None
        return self.forecaster.expect(memory, self.reader.preview([loaded]))

    @torch.inference_mode()
    def anticipate(self, stream: str, config: StreamConfig | None = None) -> Detections:
        """
        Detect on the forecast of a stream's next frame, before anything is seen of it.

        Where boxes are carried, they are carried on as the picture last moved.

        :param config: of the stream, instead of ``config``.
        :returns: detections in the pixels of the stream's image.
        :raises RuntimeError: if the stream has seen no frame.
        """
        past, config = self._streams.past(stream), config or self.config
        if past is None:
            raise RuntimeError(f'stream {stream!r} has seen no frame yet: there is no forecast')
        found = self._ahead(past, config).above(config.score_threshold)
        if past.policy.carries and not carries_along(past.policy, self.forecaster):
            return within(found, past.geometry.image_size)
        return to_image(found, past.geometry)

    def surprise(self, stream: str) -> FloatMap | None:
        """
        Say what of a stream's last frame the forecast does not explain, cell by cell.

        :returns: (h, w) over the image, in shares of the range of grey values; None where
            nothing was forecast, or the network does not peek.
        """
        past = self._streams.past(stream)
        if past is None or past.surprise is None:
            return None
        scale = self.network.grey_range
        return over_image(past.surprise, past.geometry, scale)

    @torch.inference_mode()
    def step(
        self, frames: Mapping[str, Frame], configs: Mapping[str, StreamConfig] | None = None,
        detects: bool = True,
    ) -> dict[str, StepResult | StepFailure]:
        """
        Advance each named stream by one frame.

        A frame that cannot be used fails alone: its stream stays as it was, the others go on.

        :param frames: stream name to its next frame.
        :param configs: stream name to its configuration, instead of ``config``. NMS is the same
            for all: that of the first.
        :param detects: False only decides; there are no detections then.
        :returns: stream name to its result, for every frame given.
        """
        started = time.perf_counter() - self._preparation.waited_s
        config, results = self.config, dict[str, StepResult | StepFailure]()
        moves = self.network.moves
        given = {name: (configs or {}).get(name, config).suited(moves) for name in frames}
        if config.budget is not Budget.NONE:
            p = self.steering.p(config)
            given = {name: one.replace(p=p) for name, one in given.items()}
        turns = [
            Turn(name, self._streams[name], frame, given[name]) for name, frame in frames.items()
        ]
        turns = keep_good(turns, self._open, results)
        self._choose(turns)
        turns = keep_good(turns, lambda turn: turn.settle(self.reader), results)
        suppression = turns[0].config if turns else config
        # READs first: one batch through the reader. Last those that boxes are carried to.
        turns.sort(key=lambda turn: (turn.choice.action, turn.is_carried))
        for stepped in self._alike([turn for turn in turns if not turn.rests]):
            memory = self._advance(stepped)
            if detects:
                self._answer(stepped, memory, suppression)
        for turn in turns:
            turn.carry(self.reader, self.forecaster)
        for turn in turns:
            if detects:
                turn.follow()
            turn.remember()
        elapsed_ms = (time.perf_counter() - self._preparation.waited_s - started) * 1e3
        self.steering.spent(config, sum(turn.reads for turn in turns), len(turns), elapsed_ms)
        results.update((turn.name, turn.result(elapsed_ms)) for turn in turns)
        return {name: results[name] for name in frames}

    def _open(self, turn: Turn) -> None:
        """See whether a frame continues its stream; decode it if forecasts or boxes follow it."""
        turn.open()
        if self.forecaster.reduction or turn.config.policy.carries:
            turn.load(self.reader)

    def _choose(self, turns: Sequence[Turn]) -> None:
        """Choose READ or FORECAST for every stream that goes on, by the forecasts of its frame."""
        judged = [turn for turn in turns if turn.is_judged(self._judges_all)]
        confidences: dict[str, float] = {}
        for alike in self._alike(judged):
            values = self.forecaster.confidence(self._expect(alike)).tolist()
            confidences.update((turn.name, value) for turn, value in zip(alike, values))
        held = self.steering.describe(self.config)
        for turn in turns:
            turn.choose(confidences.get(turn.name, math.nan), held)
