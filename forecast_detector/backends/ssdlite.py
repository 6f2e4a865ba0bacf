"""The paper's family, compiled part by part, as its steps follow each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn, Tensor

from ..layout import array, tensor
from ..model.encoder import LSTMState
from ..model.network import ForecastNetwork, RecurrentState
from ..model.peek import SURPRISE
from .anchors import Scored, SparseAnchors
from .compiled import Compiled
from .part import first, last, Part
from .phase import shifts

STRIDE = 32
# Parts of little work: none.
LIGHT = ()
# Parts that half precision makes faster; the scheduler is none of them.
HALF = ('read', 'encode', 'head')


class CompiledSSDLite(Compiled):
    """The paper's family, its work done by compiled parts."""

    network: ForecastNetwork

    def prepare(self, size: tuple[int, int], batches: Sequence[int] = (1,)) -> None:
        """Compile for an input of (height, width) pixels, and for batches."""
        made = parts(self.network, size)
        for batch in batches:
            for name, part in made.items():
                self.library.prepare(name, [tuple(one.shape[1:]) for one in part.example], batch)

    def read(self, images: Tensor) -> Tensor:
        """Make F of images, (B, 3, H, W), RGB, 0..255."""
        inputs = [array(images)]
        if inputs[0].dtype != np.uint8 or not self.library.has('read', inputs):
            return self.network.read(images)
        return tensor(self.library.run('read', inputs)[0])

    def preview(self, thumbnails: Tensor) -> Tensor:
        """Make features of thumbnails."""
        inputs = [array(thumbnails)]
        if inputs[0].dtype != np.uint8 or not self.library.has('preview', inputs):
            return self.network.preview(thumbnails)
        return tensor(self.library.run('preview', inputs)[0])

    def correct(
        self, forecast: Tensor, preview: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Correct the forecast of a frame by a peek at its thumbnail."""
        peek = self.network.peek
        assert peek is not None
        before, now = peek.pictures(previous, preview)
        shift = shifts(before.float().numpy(), now.float().numpy())
        inputs = [*(array(one) for one in (forecast, preview, previous)), shift]
        if not self.library.has('correct', inputs):
            return self.network.correct(forecast, preview, previous)
        features, surprise = self.library.run('correct', inputs)
        return tensor(features), tensor(surprise)

    def settle(self, corrected: Tensor) -> Tensor:
        """Give F of a frame that is a FORECAST: the scheduler was asked about F itself."""
        return corrected

    def schedule(
        self, features: Tensor, converted: Tensor, surprise: Tensor | None
    ) -> Tensor:
        """Judge a forecast by the scheduler; logits, (B, 2)."""
        inputs = [array(one) for one in (features, converted, surprise) if one is not None]
        if not self.library.has('schedule', inputs):
            return self.network.schedule(features, converted, surprise)
        return torch.from_numpy(self.library.run('schedule', inputs)[0])

    def encode(
        self, features: Tensor, state: RecurrentState
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """Forecast the next frame's features, and convert them back to this frame."""
        (hidden, cell), (other, other_cell) = state
        inputs = [array(one) for one in (features, hidden, cell, other, other_cell)]
        if not self.library.has('encode', inputs):
            return self.network.encode(features, state)
        forecast, converted, *states = (
            tensor(one) for one in self.library.run('encode', inputs)
        )
        return forecast, converted, RecurrentState(
            LSTMState(*states[:2]), LSTMState(*states[2:]))

    def detect(self, features: Tensor) -> Scored:
        """Run the head on Fm, or on whatever else is shaped like F."""
        inputs = [array(features)]
        if not self.library.has('head', inputs):
            return Scored.of(self.network.detect(features))
        return Scored(*(torch.from_numpy(one) for one in self.library.run('head', inputs)))

    def extrapolate(self, forecast: Tensor, preview: Tensor, previous: Tensor) -> Tensor:
        """Move the forecast of a frame that has not come yet, as the picture last moved."""
        return self.network.extrapolate(forecast, preview, previous)

    def decoding(self, input_size: tuple[int, int]) -> SparseAnchors:
        """Return the decoding for an input of (height, width) pixels."""
        return SparseAnchors.of(self.network, input_size)


class Read(nn.Module):
    """From an image to F."""

    def __init__(self, network: ForecastNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Take images, (B, H, W, 3), uint8."""
        return (last(self.network.read(first(images))),)


class Preview(nn.Module):
    """From a thumbnail to its features."""

    def __init__(self, network: ForecastNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, thumbnails: Tensor) -> tuple[Tensor, ...]:
        """Take thumbnails, (B, h, w, 3), uint8."""
        return (last(self.network.preview(first(thumbnails))),)


class Correct(nn.Module):
    """From a forecast, both previews and the shift between them to F and the surprise."""

    def __init__(self, network: ForecastNetwork) -> None:
        super().__init__()
        assert network.peek is not None
        self.peek = network.peek

    def forward(
        self, forecast: Tensor, now: Tensor, before: Tensor, shift: Tensor
    ) -> tuple[Tensor, ...]:
        """Take maps, and the shift as shares of width and height, (B, 2)."""
        made = self.peek.corrected(first(forecast), first(now), first(before), shift)
        return tuple(last(one) for one in made)


class Schedule(nn.Module):
    """From a forecast, Ft of the frame before and the surprise to logits."""

    def __init__(self, network: ForecastNetwork) -> None:
        super().__init__()
        self.scheduler = network.scheduler

    def forward(
        self, features: Tensor, converted: Tensor, surprise: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Take maps."""
        seen = None if surprise is None else first(surprise)
        return (self.scheduler(first(features), first(converted), seen),)


class Encode(nn.Module):
    """From F and the state to Fc, Ft and the new state."""

    def __init__(self, network: ForecastNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, features: Tensor, hidden: Tensor, cell: Tensor, other: Tensor, other_cell: Tensor
    ) -> tuple[Tensor, ...]:
        """Take maps."""
        hidden, cell, other, other_cell = (
            first(one) for one in (hidden, cell, other, other_cell))
        state = RecurrentState(LSTMState(hidden, cell), LSTMState(other, other_cell))
        forecast, converted, (one, two) = self.network.encode(first(features), state)
        return tuple(last(x) for x in (forecast, converted, *one, *two))


class Head(nn.Module):
    """From Fm to raw outputs, and to how far each anchor's best class is ahead."""

    def __init__(self, network: ForecastNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Take a map."""
        return tuple(Scored.of(self.network.detect(first(features))))


def parts(network: ForecastNetwork, input_size: tuple[int, int]) -> Mapping[str, Part]:
    """Take a network apart, for inputs of a size."""
    config, (height, width) = network.config, input_size

    def noise(cell: int, channels: int) -> Tensor:
        return torch.rand(2, height // cell, width // cell, channels)

    def picture(reduction: int) -> Tensor:
        return (255 * noise(reduction, 3)).to(torch.uint8)

    features = noise(STRIDE, config.map_channels)
    state = [noise(STRIDE, config.lstm_channels) for _ in range(4)]
    made = {
        'read': Part(Read(network), [picture(1)]),
        'encode': Part(Encode(network), [features, *state]),
        'head': Part(Head(network), [features]),
    }
    surprise = []
    if network.reduction:
        preview, surprise = noise(STRIDE, network.preview_channels), [noise(STRIDE, SURPRISE)]
        made['preview'] = Part(Preview(network), [picture(network.reduction)])
        made['correct'] = Part(
            Correct(network), [features, preview, preview, torch.zeros(2, 2)])
    if network.forecasts:
        made['schedule'] = Part(Schedule(network), [features, features, *surprise])
    return made
