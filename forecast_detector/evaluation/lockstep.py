"""Steps of many streams at once, on features that were read before: the engine without frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import math

import torch
from torch import Tensor

from ..config import StreamConfig
from ..model.encoder import LSTMState
from ..model.network import ForecastNetwork, RecurrentState
from ..postprocess import to_detections, to_image
from ..types import Detections
from .store import FeatureStore


@dataclass(frozen=True)
class Past:
    """
    What a batch of streams remembers of its last frame; (n, ...) each.

    :ivar seen: what the detector saw of that frame, F, Ft or their mean.
    :ivar forecast: Fc, the forecast of the next frame; ``converted``: Ft.
    :ivar confidence: the scheduler's, n values; NaN where it was not asked.
    """

    seen: Tensor
    forecast: Tensor
    converted: Tensor
    state: RecurrentState
    confidence: Sequence[float]

    def rows(self, rows: Sequence[int]) -> Past:
        """Keep some streams, in the order given."""
        if list(rows) == list(range(len(self.confidence))):
            return self
        index = torch.tensor(rows, device=self.forecast.device)
        return Past(
            self.seen[index], self.forecast[index], self.converted[index],
            _map(self.state, lambda t: t[index]), [self.confidence[row] for row in rows],
        )


def _map(state: RecurrentState, change: Callable[[Tensor], Tensor]) -> RecurrentState:
    return RecurrentState(*(LSTMState(*(change(t) for t in lstm)) for lstm in state))


def join(a: Past, b: Past, from_a: Sequence[bool]) -> Past:
    """Go on with the one or the other, stream by stream."""
    mask = torch.tensor(from_a, device=a.forecast.device)[:, None, None, None]

    def choose(x: Tensor, y: Tensor) -> Tensor:
        return torch.where(mask, x, y)

    state = RecurrentState(*(
        LSTMState(*(choose(x, y) for x, y in zip(first, second)))
        for first, second in zip(a.state, b.state)
    ))
    return Past(
        choose(a.seen, b.seen), choose(a.forecast, b.forecast),
        choose(a.converted, b.converted), state,
        [x if one else y for one, x, y in zip(from_a, a.confidence, b.confidence)],
    )


def advance(
    network: ForecastNetwork, features: Tensor, past: Past | None, fresh: Sequence[int] = (),
    judge: bool = True,
) -> Past:
    """
    Step every stream by one frame; nothing is detected yet.

    :param features: F of the frame, read or forecast, (n, C, H, W).
    :param past: None before the first frame.
    :param fresh: streams that were reset: they start from nothing.
    :param judge: whether the scheduler is asked.
    """
    state = network.zero_state(features) if past is None else past.state
    if fresh:
        kept = torch.ones(len(features), 1, 1, 1, device=features.device)
        kept[list(fresh)] = 0.0
        state = _map(state, lambda tensor: tensor * kept)
    forecast, converted, state = network.encode(features, state)
    confidence = [math.nan] * len(features)
    if judge and network.config.combination == 'recurrent':
        confidence = [0.0] * len(features)
    elif judge and not network.config.peek:
        confidence = torch.softmax(network.scheduler(forecast, converted), 1)[:, 1].tolist()
    return Past(network.combine(features, converted), forecast, converted, state, confidence)


def expect(
    store: FeatureStore, past: Past, frames: Sequence[int], before: Sequence[int]
) -> tuple[Tensor, Sequence[float]]:
    """
    Tell F of the next frame, should it be a FORECAST, and the scheduler's confidence in it.

    :param frames: numbers of the next frames in the store; ``before``: of the last ones.
    """
    network = store.detector.network
    if not network.config.peek:
        return past.forecast, past.confidence
    features, logits = network.glance(
        past.forecast, past.converted, store.looks(frames), store.looks(before)
    )
    return features, torch.softmax(logits, 1)[:, 1].tolist()


def correct(
    store: FeatureStore, past: Past, frames: Sequence[int], before: Sequence[int],
    rows: Sequence[int],
) -> Tensor:
    """
    Give the forecasts of the next frames, those in ``rows`` corrected by a peek.

    :param frames: numbers of the next frames in the store; ``before``: of the last ones.
    """
    peek = store.detector.network.peek
    if peek is None or not rows:
        return past.forecast
    corrected, _ = peek(
        past.rows(rows).forecast, store.looks([frames[row] for row in rows]),
        store.looks([before[row] for row in rows]),
    )
    forecast = past.forecast.clone()
    forecast[list(rows)] = corrected
    return forecast


def detect(
    store: FeatureStore, past: Past, frames: Sequence[int], config: StreamConfig
) -> list[Detections]:
    """
    Detect on the frame that each stream has just been stepped by.

    :param frames: number of each stream's frame in the store.
    :returns: detections in pixels of the image, one entry a stream.
    """
    found = to_detections(
        store.detector.network.detect(past.seen), store.detector.anchors,
        config.score_threshold, config.nms_iou, config.max_detections,
    )
    return [to_image(one, store.geometry(frame)) for one, frame in zip(found, frames)]
