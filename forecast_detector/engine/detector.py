"""The streaming engine: one model, many streams, READ or FORECAST frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
import math
import time

import torch

from ..backends import connect
from ..carrying import within
from ..checkpoint import Checkpoint
from ..config import Backend, Resize, StreamConfig
from ..device import select_device
from ..model.fuse import fuse_norms
from ..postprocess import to_detections, to_image
from ..tracking import Tracker
from ..types import Budget, Detections, Frame, StepFailure, StepResult
from . import memory as rows_of
from .budget import Steering
from .memory import Maps, Memory
from .network import Network
from .reading import FrameReader, Reader
from .recurrence import advance, Expected, Forecaster, LearnedForecast, seen
from .rules import choose, forced
from .surprise import FloatMap, over_image
from .turn import keep_good, Past, Turn


@dataclass
class _Stream:
    """
    A stream: what it remembers, and the resets asked for since the last good frame.

    :ivar read: who asked for a READ since the last good frame; None where nobody did.
    :ivar tracker: numbers its objects, where that is asked for; it outlives resets.
    """

    past: Past | None = None
    requests: list[str] = field(default_factory=list)
    read: str | None = None
    tracker: Tracker = field(default_factory=Tracker)


class StreamingDetector:
    """
    Step streams of frames through the network, gated by the scheduler.

    Streams are named by the caller and come into being with their first frame. All share one
    set of weights; the frames of one call are one batched step.

    :ivar labels: class names, by label index.
    :ivar device: where the network runs; ``device_note``: a sentence that says why.
    :ivar backend: what runs it, ``torch`` or ``openvino``; the note says why, too.
    :ivar network: norms folded, ready to run; ``decoding``: of its head's outputs.
    :ivar reader: turns frames into features; ``forecaster``: gives F of frames that are not read.
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
        :param resize: ``letterbox``, ``corner`` or ``stretch``, instead of the trained way.
        :param backend: see :func:`~forecast_detector.backends.choice.connect`.
        :raises ValueError: for a device or a backend that is missing, or an input size off the
            grid of 32.
        """
        self.config = config or StreamConfig()
        self.labels = checkpoint.config.labels
        self.device, device_note = select_device(device)
        shape = replace(
            checkpoint.config,
            input_size=input_size or checkpoint.config.input_size,
            resize=resize or checkpoint.config.resize,
        )
        self.input_size = shape.input_size
        fused = fuse_norms(checkpoint.network).to(self.device)
        fused.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        connected = connect(fused, backend, self.device, self.input_size)
        self.network: Network = connected.network
        self.backend, self.device_note = connected.name, f'{device_note}; {connected.note}'
        self.decoding = self.network.decoding(self.input_size)
        self.reader: Reader = FrameReader(
            self.network, self.device, self.input_size, shape.resize
        )
        self.forecaster: Forecaster = LearnedForecast(self.network)
        self._judges_all = True
        self.steering = Steering()
        self._streams: dict[str, _Stream] = {}

    def prepare(self, streams: int) -> None:
        """
        Prepare for steps of so many streams, before frames wait; others are stepped in parts.

        :param streams: at most.
        """
        prepare = getattr(self.network, 'prepare', None)
        if prepare is not None:
            prepare(batches=[2 ** k for k in range(streams.bit_length())])

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
        other._judges_all, other._streams = judges_all, {}
        other.steering = Steering()
        return other

    def reset(self, stream: str | None = None, detail: str = 'reset requested') -> None:
        """
        Forget a stream's past (all streams': None); its next frame is a READ.

        May be called from any thread; it takes effect when the next step starts.

        :param detail: carried by the next decision.
        """
        for entry in self._named(stream):
            entry.requests.append(detail)

    def force_read(self, stream: str | None = None, detail: str = 'READ requested') -> None:
        """
        READ the next frame of a stream (of all streams: None), which goes on otherwise.

        May be called from any thread; it takes effect when the next step starts.

        :param detail: carried by the next decision, where that would have been a FORECAST.
        """
        for entry in self._named(stream):
            entry.read = detail

    def _named(self, stream: str | None) -> Iterable[_Stream]:
        streams = self._streams
        if stream is None:
            return list(streams.values())
        return [streams[stream]] if stream in streams else []

    def forget(self, stream: str) -> None:
        """Drop a stream that will not come back."""
        self._streams.pop(stream, None)

    def memory(self, stream: str) -> Memory | None:
        """Return what a stream remembers, a batch of one; None before its first frame."""
        past = self._past(stream)
        return past.memory if past else None

    def _past(self, stream: str) -> Past | None:
        entry = self._streams.get(stream)
        return entry.past if entry else None

    @torch.inference_mode()
    def expect(self, stream: str, frame: Frame) -> Expected | None:
        """
        Say what F of a stream's next frame would be, were it a FORECAST; nothing is changed.

        :returns: None before the first frame.
        :raises BadFrameError: where the network peeks, for a frame that cannot be used.
        """
        memory = self.memory(stream)
        if memory is None:
            return None
        peeks = self.forecaster.reduction
        preview = self.reader.preview([self.reader.load(frame)]) if peeks else None
        return self.forecaster.expect(memory, preview)

    @torch.inference_mode()
    def anticipate(self, stream: str, config: StreamConfig | None = None) -> Detections:
        """
        Detect on the forecast of a stream's next frame, before anything is seen of it.

        Where boxes are carried, they are carried on as the picture last moved.

        :param config: of the stream, instead of ``config``.
        :returns: detections in the pixels of the stream's image.
        :raises RuntimeError: if the stream has seen no frame.
        """
        past, config = self._past(stream), config or self.config
        if past is None:
            raise RuntimeError(f'stream {stream!r} has seen no frame yet: there is no forecast')
        if past.carried is not None:
            ahead = past.carried.anticipate().detections
            return within(ahead, past.geometry.image_size).above(config.score_threshold)
        features = self.forecaster.anticipate(past.memory)
        return to_image(self.detect(features, config)[0], past.geometry)

    def surprise(self, stream: str) -> FloatMap | None:
        """
        Say what of a stream's last frame the forecast does not explain, cell by cell.

        :returns: (h, w) over the image, in shares of the range of grey values; None where
            nothing was forecast, or the network does not peek.
        """
        past = self._past(stream)
        if past is None or past.surprise is None:
            return None
        scale = self.network.grey_range
        return over_image(past.surprise, past.geometry, self.input_size, scale)

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
        started = time.perf_counter()
        config = self.config
        results: dict[str, StepResult | StepFailure] = {}
        given = {name: (configs or {}).get(name, config) for name in frames}
        if config.budget is not Budget.NONE:
            p = self.steering.p(config)
            given = {name: one.replace(p=p) for name, one in given.items()}
        turns = [
            Turn(name, frame, given[name], self._past(name)) for name, frame in frames.items()
        ]
        turns = keep_good(turns, self._open, results)
        self._choose(turns)
        turns = keep_good(turns, self._settle, results)
        shown = turns[0].config if turns else config
        # READs first: one batch through the reader. Last those that boxes are carried to.
        turns.sort(key=lambda turn: (turn.choice.action, turn.is_carried))
        if stepped := [turn for turn in turns if not turn.rests]:
            memory = self._advance(stepped)
            if detects:
                self._answer(stepped, memory, shown)
        for turn in turns:
            turn.carry(self.reader)
        for turn in turns:
            stream = self._streams[turn.name]
            if detects:
                turn.follow(stream.tracker)
            stream.past = turn.remember()
        elapsed_ms = (time.perf_counter() - started) * 1e3
        reads = sum(turn.reads for turn in turns)
        self.steering.spent(config, reads, len(turns), elapsed_ms)
        results.update((turn.name, turn.result(elapsed_ms)) for turn in turns)
        return {name: results[name] for name in frames}

    def _open(self, turn: Turn) -> None:
        """
        See whether a frame continues its stream; decode it where forecasts or boxes follow it.

        :raises BadFrameError: for a frame that cannot be used. Nothing is changed by then.
        """
        stream = self._streams.setdefault(turn.name, _Stream())
        turn.requests = len(stream.requests)
        turn.open(stream.requests[-1] if stream.requests else None)
        if self.forecaster.reduction or turn.config.policy.carries:
            turn.load(self.reader)

    def _choose(self, turns: Sequence[Turn]) -> None:
        """Choose READ or FORECAST for every stream that goes on, by the forecasts of its frame."""
        judged = [turn for turn in turns if turn.is_judged(self._judges_all)]
        confidences: dict[str, float] = {}
        if judged:
            values = self.forecaster.confidence(self._expect(judged)).tolist()
            confidences = {turn.name: value for turn, value in zip(judged, values)}
        held = self.steering.describe(self.config)
        for turn in turns:
            if turn.past is not None:
                confidence = confidences.get(turn.name, math.nan)
                choice = choose(turn.past.run, confidence, turn.config, held)
                turn.choice = forced(choice, self._streams[turn.name].read)

    def _preview(self, turns: Sequence[Turn]) -> None:
        """Where the network peeks, make features of thumbnails that there are none of yet."""
        missing = [turn for turn in turns if turn.preview is None]
        if self.forecaster.reduction and missing:
            previews = self.reader.preview([turn.loaded for turn in missing])
            for turn, preview in zip(missing, rows_of.split(previews)):
                turn.preview = preview

    def _expect(self, turns: Sequence[Turn]) -> Expected:
        """Ask what F of frames would be, were they FORECASTs."""
        self._preview(turns)
        memory = rows_of.cat([turn.memory for turn in turns])
        expected = self.forecaster.expect(memory, rows_of.cat([turn.preview for turn in turns]))
        for turn, features in zip(turns, rows_of.split(expected.features), strict=True):
            turn.expected = features
        if expected.surprise is not None:
            for turn, surprise in zip(turns, expected.surprise):
                turn.surprise = surprise
        return expected

    def _settle(self, turn: Turn) -> None:
        """
        Decode the image of a READ.

        :raises BadFrameError: for an image that cannot be used. Nothing is changed by then.
        """
        if turn.reads:
            turn.load(self.reader)
        stream = self._streams[turn.name]
        del stream.requests[:turn.requests]
        if turn.reads:
            stream.read = None

    def _advance(self, turns: Sequence[Turn]) -> Memory:
        """Step the network on F of every frame; READs come first."""
        self._preview(turns)
        reads = [turn.loaded for turn in turns if turn.reads]
        unknown = [turn for turn in turns if not turn.reads and turn.expected is None]
        if unknown:
            self._expect(unknown)
        features = rows_of.cat([
            *([self.reader.read(reads)] if reads else []),
            *(turn.expected for turn in turns if not turn.reads),
        ])
        states = [
            turn.memory.state if turn.past
            else self.network.zero_state(rows_of.rows(features, [0])) for turn in turns
        ]
        memory = advance(
            self.network, features, rows_of.cat(states),
            rows_of.cat([turn.preview for turn in turns]),
            rows_of.cat([
                turn.memory.preview if turn.past else turn.preview for turn in turns
            ]),
        )
        for turn, row in zip(turns, rows_of.split(memory)):
            turn.after = row
        return memory

    def _answer(self, turns: Sequence[Turn], memory: Memory, config: StreamConfig) -> None:
        """Detect on Fm of every frame, but for the last ones, which boxes are carried to."""
        shown = [turn for turn in turns if not turn.is_carried]
        if shown:
            features = seen(self.network, rows_of.rows(memory, range(len(shown))))
            # Weaker boxes never suppress stronger ones: one threshold does for all, first.
            least = min(turn.config.score_threshold for turn in shown)
            found = self.detect(features, config.replace(score_threshold=least))
            for turn, one in zip(shown, found, strict=True):
                turn.detect(one.above(turn.config.score_threshold))

    def detect(self, features: Maps, config: StreamConfig) -> list[Detections]:
        """
        Run the head on Fm, or on whatever else is shaped like F.

        :returns: detections in pixels of the network's input, one entry a row.
        """
        return to_detections(
            self.decoding, self.network.detect(features),
            config.score_threshold, config.nms_iou, config.max_detections,
        )
