"""What steps a batch of frames: the network on its device, and the stages of a step over turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..backends import connect
from ..blending import blended, WEAKEST
from ..checkpoint import Checkpoint
from ..config import Backend, Resize, StreamConfig
from ..device import select_device
from ..model.fuse import fuse_norms
from ..postprocess import to_detections
from ..types import Detections
from . import memory as rows_of
from .gpu_reading import GpuReader
from .memory import Maps, Memory
from .network import Network
from .preparation import Preparation, usual_sizes
from .reading import FrameReader, Reader
from .recurrence import advance, Expected, Forecaster, LearnedForecast, seen
from .stream import Past
from .turn import Turn


class Machinery:
    """
    A network ready to run, and the stages of a step; it remembers nothing of streams.

    A stage puts rows of several turns together, whose inputs are of one size, runs them as one
    batch, and hands each its own.

    :ivar labels: class names, by label index.
    :ivar input_size: (height, width) of the network's input, at most; ``resize``: how images are
        laid into it.
    :ivar device: where the network runs; ``device_note``: a sentence that says why.
    :ivar backend: what runs it, by name; the note says why, too.
    :ivar network: norms folded, ready to run; ``decoding``: of its head's outputs.
    :ivar reader: turns frames into features; ``forecaster``: gives F of frames that are not read.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: str, input_size: tuple[int, int] | None,
        resize: Resize | None, backend: Backend,
    ) -> None:
        """Make the network ready, see :class:`~.detector.StreamingDetector`."""
        self.labels = checkpoint.config.labels
        self.device, device_note = select_device(device)
        shape = replace(
            checkpoint.config,
            input_size=input_size or checkpoint.config.input_size,
            resize=resize or checkpoint.config.resize,
        )
        self.input_size, self.resize = shape.input_size, shape.resize
        fused = fuse_norms(checkpoint.network).to(self.device)
        fused.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        sizes = usual_sizes(self.input_size, shape.resize)
        connected = connect(fused, backend, self.device, sizes)
        self.network: Network = connected.network
        self.backend, self.device_note = connected.name, f'{device_note}; {connected.note}'
        self.decoding = self.network.decoding(self.input_size)
        reads = GpuReader if connected.graphed else FrameReader
        self.reader: Reader = reads(self.network, self.device, self.input_size, shape.resize)
        self.forecaster: Forecaster = LearnedForecast(self.network)
        self._preparation = Preparation(self.network, sizes)

    def prepare(
        self, streams: int, beside: bool = False, also: Sequence[tuple[int, int]] = ()
    ) -> None:
        """
        Prepare for steps of so many streams, before frames wait; others are stepped in parts.

        :param streams: at most.
        :param beside: whether inputs of sizes that come later are prepared in a thread of their
            own; until then they are stepped by PyTorch. Without it, their first frame waits.
        :param also: (height, width) of inputs to prepare for beside the usual ones.
        """
        for size in also:
            self.meet(size)
        self._preparation.streams(streams, beside)

    def meet(self, size: tuple[int, int]) -> None:
        """Prepare for an input of a size, (height, width), if there have not been too many."""
        self._preparation.meet(size)

    def close(self) -> None:
        """Prepare nothing more."""
        self._preparation.close()

    def _alike(self, turns: Sequence[Turn]) -> list[list[Turn]]:
        """Group turns by the size of their input, in their order: only these fit in a batch."""
        groups: dict[tuple[int, int], list[Turn]] = {}
        for turn in turns:
            groups.setdefault(turn.geometry.input_size, []).append(turn)
        for size in groups:
            self.meet(size)
        return list(groups.values())

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

    def _advance(self, turns: Sequence[Turn]) -> Memory:
        """Step the network on F of every frame; READs come first, carried boxes last."""
        self._preview(turns)
        reads = [turn.loaded for turn in turns if turn.reads]
        unknown = [turn for turn in turns if not turn.reads and turn.expected is None]
        if unknown:
            self._expect(unknown)
        forecasts = [turn.expected for turn in turns if not turn.reads and not turn.is_carried]
        carried = [turn.expected for turn in turns if turn.is_carried]
        features = rows_of.cat([
            *([self.reader.read(reads)] if reads else []),
            *([self.forecaster.settle(rows_of.cat(forecasts))] if forecasts else []),
            *([self.forecaster.rest(rows_of.cat(carried))] if carried else []),
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
        """
        Detect on Fm of every frame, but for the last ones, which boxes are carried to.

        :param memory: after these turns, one row each.
        :param config: of the suppression.
        """
        shown = [turn for turn in turns if not turn.is_carried]
        if shown:
            features = seen(self.network, rows_of.rows(memory, range(len(shown))))
            # Weaker boxes never suppress stronger ones: one threshold does for all, first.
            least = min(turn.least_score(self.forecaster) for turn in shown)
            found = self.detect(features, config, least)
            for turn, one in zip(shown, found, strict=True):
                turn.detect(one, self.forecaster)

    def _ahead(self, past: Past, config: StreamConfig) -> Detections:
        """Give what is expected of a stream's next frame, in pixels of the network's input."""
        kept = past.kept
        if kept is not None and past.policy.carries:
            return kept.ahead().doubted(config.score_threshold)
        features = self.forecaster.anticipate(past.memory)
        if kept is None or not config.blend:
            return self.detect(features, config)[0]
        found = self.detect(features, config, min(config.score_threshold, WEAKEST))[0]
        return blended(kept.ahead(), found, config.score_threshold)

    def detect(
        self, features: Maps, config: StreamConfig, score_threshold: float | None = None
    ) -> list[Detections]:
        """
        Run the head on Fm, or on whatever else is shaped like F.

        :param score_threshold: instead of the configuration's.
        :returns: detections in pixels of the network's input, one entry a row.
        """
        return to_detections(
            self.decoding, self.network.detect(features),
            config.score_threshold if score_threshold is None else score_threshold,
            config.nms_iou, config.max_detections,
        )
