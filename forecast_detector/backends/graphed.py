"""Networks on a GPU, whose parts run as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..layout import tensor
from ..model.network import ForecastNetwork, RecurrentState
from ..model.yolox.decoding import GridDecoding, lay_cells
from ..model.yolox.network import Features, Moving, YoloxNetwork
from ..model.yolox.preview import Motion, Preview
from ..postprocess import Decoding
from ..trees import tree_map
from .candidates import Candidates, strongest
from .graphs import Function, Graphs

STRIDE = 32


class Graphed:
    """
    A network whose parts are captured for the inputs that it is prepared for.

    Other inputs, and what is not a part, run in PyTorch, with the same answers. Images and
    thumbnails may lie on the CPU: they are uploaded as bytes.

    :ivar network: the network itself.
    """

    # Whether prepare() may be called while other threads step.
    prepares_beside = False
    network: Any

    def __init__(self, network: Any, graphs: Graphs, half: bool = False) -> None:
        """
        Put a network behind graphs.

        :param half: compute in half precision what bears it; what comes out is single.
        """
        self.network, self.graphs, self._half = network, graphs, half
        self._call: Callable[[str, Function, Any], Any] = graphs.run

    def prepare(self, size: tuple[int, int], batches: Sequence[int] = (1,)) -> None:
        """
        Capture what will come: a READ and a FORECAST are rehearsed on black images.

        :param size: (height, width) of the network's input, multiples of 32.
        :param batches: how many frames a call takes.
        """
        rehearsal = type(self)(self.network, self.graphs, self._half)
        rehearsal._call = self.graphs.capture
        for batch in batches:
            rehearsal._rehearse(size, batch)

    @torch.no_grad()
    def _rehearse(self, size: tuple[int, int], batch: int) -> None:
        features = self.read(_black(size, batch))
        expected, converted, _ = self.encode(features, self.zero_state(features))
        self.detect(self.combine(features, converted))
        surprise = None
        if self.reduction:
            preview = self.preview(_black(size, batch, self.reduction))
            expected, surprise = self.correct(expected, preview, preview)
        if self.forecasts:
            self.schedule(expected, converted, surprise)
        self.settle(expected)

    def read(self, images: Tensor) -> Any:
        """Make F of images, (B, 3, H, W), RGB, 0..255."""
        return self._call('read', self._lean(self.network.read), (images,))

    def detect(self, features: Any) -> Tensor:
        """Run the head on Fm, or on whatever else is shaped like F: :func:`strongest`."""
        return self._call('detect', self._lean(self._detect), (features,))

    def _detect(self, features: Any) -> Tensor:
        return strongest(self._decoding(features), self.network.detect(features))

    def _decoding(self, features: Any) -> Decoding:
        """Give the network's decoding for F. What it reads must stay: graphs hold addresses."""
        raise NotImplementedError

    def decoding(self, input_size: tuple[int, int]) -> Candidates:
        """Return the decoding of what :meth:`detect` gives."""
        return Candidates()

    def _lean(self, function: Function) -> Function:
        """Compute in half precision, where that is asked for."""
        if not self._half:
            return function

        def lean(*inputs: Any) -> Any:
            with torch.autocast(self.graphs.device.type, torch.float16, cache_enabled=False):
                made = function(*inputs)
            return tree_map(lambda one: one.float() if one.is_floating_point() else one, made)

        return lean

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the network has."""
        return getattr(self.network, name)


class GraphedSSDLite(Graphed):
    """The paper's family."""

    network: ForecastNetwork

    def __init__(self, network: ForecastNetwork, graphs: Graphs, half: bool = False) -> None:
        super().__init__(network, graphs, half)
        self._decodings: dict[tuple[int, int], Decoding] = {}

    def preview(self, thumbnails: Tensor) -> Tensor:
        """Make features of thumbnails."""
        made: Tensor = self._call('preview', self._lean(self.network.preview), (thumbnails,))
        return made

    def correct(
        self, forecast: Tensor, preview: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Correct the forecast of a frame by a peek at its thumbnail."""
        corrected, surprise = self._call(
            'correct', self._lean(self.network.correct), (forecast, preview, previous))
        return corrected, surprise

    def encode(
        self, features: Tensor, state: RecurrentState
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """Forecast the next frame's features, and convert them back to this frame."""
        forecast, converted, state = self._call(
            'encode', self._lean(self.network.encode), (features, state))
        return forecast, converted, state

    def schedule(self, features: Tensor, converted: Tensor, surprise: Tensor | None) -> Tensor:
        """Judge a forecast by the scheduler, in single precision; logits, (B, 2)."""
        logits: Tensor = self._call(
            'schedule', self.network.schedule, (features, converted, surprise))
        return logits

    def _decoding(self, features: Tensor) -> Decoding:
        height, width = features.shape[2:]
        size = (STRIDE * height, STRIDE * width)
        if size not in self._decodings:
            self._decodings[size] = self.network.decoding(size)
        return self._decodings[size]


class GraphedYolox(Graphed):
    """YOLOX with forecasts. Thumbnails and dense motion are OpenCV's, on the CPU."""

    network: YoloxNetwork

    def correct(
        self, forecast: Features, preview: Preview, previous: Preview
    ) -> tuple[Moving, Tensor]:
        """Find how the picture moved, and ask the scheduler about that."""
        motion = Motion.between(preview, previous)
        flow, expected, reach = (
            tensor(one) for one in (motion.flow, motion.expected, motion.reach))
        pictures = preview.picture, expected
        *judged, surprise = self._call('judge', self._judge, (
            forecast.staleness, forecast.objects, flow, *pictures, reach))
        # The flow stays on the CPU, too, where boxes are carried by it.
        return Moving(forecast.maps, flow, *pictures, *judged), surprise

    def _judge(
        self, staleness: Tensor, objects: Tensor, flow: Tensor, now: Tensor, expected: Tensor,
        reach: Tensor,
    ) -> tuple[Tensor, ...]:
        """Ask the scheduler, in single precision, by what is known of the frame before."""
        staleness, objects, surprise = self.network.follow(
            torch.cat([staleness, objects], dim=1), flow, now, expected, reach)
        moving = Moving((), flow, now, expected, staleness, objects)
        logits = self.network.schedule(moving, None, surprise)
        return staleness, objects, logits, surprise

    def settle(self, corrected: Moving) -> Features:
        """Move F, and correct it by what the thumbnail shows."""
        settled: Features = self._call(
            'settle', self._lean(self.network.settle), (corrected._replace(logits=None),))
        return settled

    def schedule(self, features: Moving, converted: Features, surprise: Tensor) -> Tensor:
        """Give the logits of the scheduler, (B, 2)."""
        if features.logits is not None:
            return features.logits
        return self.network.schedule(features, converted, surprise)

    def _decoding(self, features: Features) -> GridDecoding:
        return GridDecoding(lay_cells)


def _black(size: tuple[int, int], batch: int, reduction: int = 1) -> Tensor:
    """Make images as they come, (B, 3, H, W), in memory channels last."""
    height, width = (side // reduction for side in size)
    return torch.zeros(batch, height, width, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
