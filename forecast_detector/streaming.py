"""The streaming engine: one model, many streams, READ or FORECAST frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
import math
import time

import torch
from torch import Tensor

from .boxes import Geometry
from .checkpoint import Checkpoint
from .config import Resize, StreamConfig
from .device import select_device
from .gating import accumulated, break_in_stream, changed, decide
from .model.encoder import LSTMState
from .model.fuse import fuse_norms
from .model.network import RecurrentState, StepOutput
from .postprocess import to_detections, to_image
from .reading import FrameReader, LoadedFrame
from .types import (
    Action,
    BadFrameError,
    Decision,
    Detections,
    Frame,
    Reason,
    StepFailure,
    StepResult,
)


@dataclass(frozen=True)
class Memory:
    """
    What a stream remembers between frames; gone after a reset. A step replaces it whole.

    :ivar forecast: Fc, for the next frame, (1, C, h, w); ``converted``: Ft, likewise.
    :ivar look: features of the last thumbnail, (1, L, h, w), where the network peeks;
        ``before``: of the one before, None after a single frame.
    :ivar confidence: the scheduler's, for the next frame; NaN where the network peeks.
    :ivar trust: confidence that the last decision was made with; 1 after a READ.
    :ivar frame: the last one, its image released.
    """

    recurrent: RecurrentState
    forecast: Tensor
    converted: Tensor
    look: Tensor | None
    before: Tensor | None
    confidence: float
    trust: float
    geometry: Geometry
    frame: Frame
    frames_since_read: int
    last_read_stamp_ns: int


@dataclass
class _Stream:
    """A stream: what it remembers, and the resets asked for since the last good frame."""

    memory: Memory | None = None
    requests: list[str] = field(default_factory=list)


@dataclass
class _Plan:
    """What will be done with one frame. The memory is None where the stream starts anew."""

    name: str
    frame: Frame
    memory: Memory | None
    requested: int
    action: Action = Action.READ
    reason: Reason = Reason.FIRST_FRAME
    detail: str = ''
    confidence: float = math.nan
    loaded: LoadedFrame | None = None
    look: Tensor | None = None
    features: Tensor | None = None

    def load(self, reader: FrameReader) -> None:
        """
        Decode the image; a size that only this tells may start the stream anew.

        :raises BadFrameError: if it cannot be used.
        """
        if self.loaded is not None:
            return
        self.loaded = reader.load(self.name, self.frame)
        size = self.loaded.geometry.image_size
        if self.memory is not None and size != self.memory.geometry.image_size:
            self.start_anew(changed('image size', self.memory.geometry.image_size, size))

    def judge(self, confidence: float, config: StreamConfig) -> None:
        """Take the scheduler's confidence in this frame's forecast."""
        trust = self.memory.trust if self.memory is not None else 1.0
        self.confidence = accumulated(confidence, trust, config)

    def start_anew(self, detail: str) -> None:
        """Make it the first frame after a reset."""
        self.memory, self.confidence = None, math.nan
        self.action, self.reason, self.detail = Action.READ, Reason.RESET, detail

    @property
    def geometry(self) -> Geometry:
        """How the image lies in the input: this frame's, or that of the stream."""
        if self.loaded is not None:
            return self.loaded.geometry
        assert self.memory is not None
        return self.memory.geometry


class StreamingDetector:
    """
    Step streams of frames through the network, gated by the scheduler.

    Streams are named by the caller and come into being with their first frame. All share one
    set of weights; the frames of one call are one batched step.

    :ivar labels: class names, by label index.
    :ivar device: where the network runs.
    :ivar device_note: a sentence that says why.
    :ivar network: norms folded, ready to run; ``anchors``: (A, 4), as its head wants them.
    :ivar reader: turns frames into features.
    :ivar config: may be replaced at any time, from any thread; a step takes it up as it starts.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        config: StreamConfig | None = None,
        device: str = 'auto',
        input_size: tuple[int, int] | None = None,
        resize: Resize | None = None,
    ) -> None:
        """
        Prepare the network on a device.

        :param device: see :func:`~forecast_detector.device.select_device`.
        :param input_size: (height, width) of the network's input, instead of the trained one.
        :param resize: ``letterbox`` or ``stretch``, instead of the trained way.
        :raises ValueError: for a device that is missing, or an input size off the grid of 32.
        """
        self.config = config or StreamConfig()
        self.labels = checkpoint.config.labels
        self.device, self.device_note = select_device(device)
        shape = replace(
            checkpoint.config,
            input_size=input_size or checkpoint.config.input_size,
            resize=resize or checkpoint.config.resize,
        )
        self.input_size = shape.input_size
        self.network = fuse_norms(checkpoint.network).to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.anchors = self.network.anchors(self.input_size).to(self.device)
        self.reader = FrameReader(
            self.network, self.device, self.input_size, shape.resize == 'letterbox'
        )
        self._streams: dict[str, _Stream] = {}

    def reset(self, stream: str | None = None, detail: str = 'reset requested') -> None:
        """
        Forget a stream's past (all streams': None); its next frame is a READ.

        May be called from any thread; it takes effect when the next step starts.

        :param detail: carried by the next decision.
        """
        streams: Iterable[_Stream] = list(self._streams.values())
        if stream is not None:
            streams = [self._streams[stream]] if stream in self._streams else []
        for entry in streams:
            entry.requests.append(detail)

    def forget(self, stream: str) -> None:
        """Drop a stream that will not come back."""
        self._streams.pop(stream, None)

    def memory(self, stream: str) -> Memory | None:
        """Return what a stream remembers, None before its first frame."""
        entry = self._streams.get(stream)
        return entry.memory if entry else None

    @torch.inference_mode()
    def step(self, frames: Mapping[str, Frame]) -> dict[str, StepResult | StepFailure]:
        """
        Advance each named stream by one frame.

        A frame that cannot be used fails alone: its stream stays as it was, the others go on.

        :param frames: stream name to its next frame.
        :returns: stream name to its result, for every frame given.
        """
        started = time.perf_counter()
        config = self.config
        plans: list[_Plan] = []
        results: dict[str, StepResult | StepFailure] = {}
        for name, frame in frames.items():
            try:
                plans.append(self._open(name, frame, config))
            except BadFrameError as error:
                results[name] = StepFailure(frame.stamp_ns, error)
        self._glance(plans, config)
        for plan in list(plans):
            try:
                self._settle(plan, config)
            except BadFrameError as error:
                plans.remove(plan)
                results[plan.name] = StepFailure(plan.frame.stamp_ns, error)
        if not plans:
            return results
        plans.sort(key=lambda plan: plan.action)
        features = self._features(plans)
        output = self.network.step(features, self._recurrent(plans, features))
        detections = to_detections(
            output.head,
            self.anchors,
            config.score_threshold,
            config.nms_iou,
            config.max_detections,
        )
        confidences = output.confidence.tolist()
        for index, plan in enumerate(plans):
            self._remember(index, plan, output, confidences[index], config)
        elapsed_ms = (time.perf_counter() - started) * 1e3
        for plan, found in zip(plans, detections):
            results[plan.name] = self._result(plan, found, config, elapsed_ms)
        return {name: results[name] for name in frames}

    def _open(self, name: str, frame: Frame, config: StreamConfig) -> _Plan:
        """
        See whether a frame continues its stream; where the network peeks, decode it.

        :raises BadFrameError: for a frame that cannot be used. Nothing is changed by then.
        """
        stream = self._streams.setdefault(name, _Stream())
        plan = _Plan(name, frame, stream.memory, len(stream.requests))
        if stream.memory is not None:
            broken = stream.requests[-1] if plan.requested else None
            broken = broken or break_in_stream(stream.memory.frame, frame, config)
            if broken is not None:
                plan.start_anew(broken)
            else:
                plan.judge(stream.memory.confidence, config)
        if self.network.config.peek:
            plan.load(self.reader)
        return plan

    def _glance(self, plans: list[_Plan], config: StreamConfig) -> None:
        """Peek: look at the thumbnails, correct the forecasts by them, and judge the results."""
        if not self.network.config.peek or not plans:
            return
        looks = self.reader.look([plan.loaded for plan in plans if plan.loaded is not None])
        for plan, look in zip(plans, looks.split(1)):
            plan.look = look
        going = [(p, p.memory, p.look) for p in plans if p.memory is not None]
        if not going:
            return
        features, logits = self.network.glance(
            torch.cat([memory.forecast for _, memory, _ in going]),
            torch.cat([memory.converted for _, memory, _ in going]),
            torch.cat([look for _, _, look in going if look is not None]),
            torch.cat([memory.look for _, memory, _ in going if memory.look is not None]),
        )
        confidences = torch.softmax(logits, dim=1)[:, 1].tolist()
        for index, (plan, _, _) in enumerate(going):
            plan.features = features[index:index + 1]
            plan.judge(confidences[index], config)

    def _settle(self, plan: _Plan, config: StreamConfig) -> None:
        """
        Decide READ or FORECAST, and decode the image of a READ.

        :raises BadFrameError: for an image that cannot be used. Nothing is changed by then.
        """
        if plan.memory is not None:
            plan.action, plan.reason, plan.detail = decide(
                plan.confidence, plan.memory.frames_since_read, config
            )
        if plan.action is Action.READ:
            plan.load(self.reader)
        del self._streams[plan.name].requests[:plan.requested]

    def _features(self, plans: list[_Plan]) -> Tensor:
        """Gather F for every plan, READs first: one batch through the backbone, and forecasts."""
        reads = [p.loaded for p in plans if p.action is Action.READ and p.loaded is not None]
        parts = [self.reader.read(reads)] if reads else []
        for plan in plans:
            if plan.action is Action.FORECAST and plan.memory is not None:
                corrected = plan.features
                parts.append(plan.memory.forecast if corrected is None else corrected)
        return torch.cat(parts)

    def _recurrent(self, plans: list[_Plan], features: Tensor) -> RecurrentState:
        """Stack the streams' LSTM states; a stream without a past starts at zero."""
        zero = self.network.zero_state(features[:1])
        states = [p.memory.recurrent if p.memory is not None else zero for p in plans]
        return RecurrentState(
            *(
                LSTMState(*(torch.cat(tensors) for tensors in zip(*lstm)))
                for lstm in zip(*states)
            )
        )

    def _remember(
        self,
        index: int,
        plan: _Plan,
        output: StepOutput,
        confidence: float,
        config: StreamConfig,
    ) -> None:
        """Keep what the next frame of a stream needs."""
        here = slice(index, index + 1)
        if plan.action is Action.READ or config.commit_on_forecast or plan.memory is None:
            recurrent = RecurrentState(
                *(LSTMState(lstm.hidden[here], lstm.cell[here]) for lstm in output.state)
            )
        else:
            recurrent = plan.memory.recurrent
        read = plan.action is Action.READ
        previous = plan.memory
        self._streams[plan.name].memory = Memory(
            recurrent,
            output.forecast[here],
            output.converted[here],
            plan.look,
            None if previous is None else previous.look,
            confidence,
            1.0 if read else plan.confidence,
            plan.geometry,
            plan.frame.header(),
            0 if read or previous is None else previous.frames_since_read + 1,
            plan.frame.stamp_ns if read or previous is None else previous.last_read_stamp_ns,
        )

    def _result(
        self, plan: _Plan, found: Detections, config: StreamConfig, elapsed_ms: float
    ) -> StepResult:
        """Put a stream's detections into its image's pixels, with the decision behind them."""
        memory = self._streams[plan.name].memory
        assert memory is not None
        return StepResult(
            plan.frame.stamp_ns,
            to_image(found, memory.geometry),
            Decision(
                plan.action,
                plan.reason,
                config.p,
                plan.detail,
                plan.confidence,
                memory.frames_since_read,
                memory.last_read_stamp_ns,
                elapsed_ms,
            ),
        )
