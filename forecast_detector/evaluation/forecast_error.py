"""
How far forecast features are from what reading gives, cell by cell (the paper's Fig. 6).

At frame t+1 the error of a cell is ||F - Fc||, F read from the image, Fc forecast at frame t,
in units of the mean ||F|| of the frame. Where the network peeks, Fc is the forecast as the
thumbnails corrected it. It is there for READ frames too, where Fc goes unused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..boxes import Geometry
from ..config import StreamConfig
from ..data.base import Clip
from ..model.backbone import STRIDE
from ..reading import FrameReader, LoadedFrame
from ..streaming import StreamingDetector
from ..types import Action, BadFrameError, Policy, StepFailure
from .detector import evaluation_config
from .pictures import shrink, spread, to_jpeg

FloatArray = NDArray[np.float64]
Measured = tuple[list[FloatArray], list[str]]
STREAM = 'forecast error'
HEAT_CLIPS, HEAT_FRAMES, WINDOW = 2, 4, 60
# What the brightest colour means is settled by the maps shown: nearly their highest value.
BRIGHTEST_PERCENTILE = 99.5


def show_errors(
    detector: StreamingDetector, clips: Sequence[Clip], p: float | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """
    Compare the scheduler's forecasts with those of the fixed rule.

    ``alternate`` reads every second frame.

    :param p: of the scheduler, None for that of the detector's configuration.
    :returns: pictures of kind ``heat``; and the mean error a frame, for each clip and policy.
    """
    if p is None:
        scheduled = detector.config.policy is Policy.SCHEDULER
        p = detector.config.p if scheduled else StreamConfig().p
    configs = {
        f'scheduler, p = {p:g}': evaluation_config(Policy.SCHEDULER, p),
        'alternate': evaluation_config(Policy.ALTERNATE),
    }
    before = detector.config
    pictures: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    long = [clip for clip in clips if len(clip) > HEAT_FRAMES]
    long = long or [clip for clip in clips if len(clip) > 1]
    for clip in (long[at] for at in spread(len(long), HEAT_CLIPS)):
        try:
            measured, geometries = _measure(detector, clip, configs)
            pictures += _draw(clip, measured, geometries)
        except BadFrameError:
            # Errors need every image of the window; the run itself got on without this one.
            continue
        errors += [
            {
                'clip': clip.name, 'policy': policy, 'index': list(range(1, len(maps) + 1)),
                'action': actions, 'error': [round(float(m.mean()), 5) for m in maps],
            }
            for policy, (maps, actions) in measured.items()
        ]
    detector.config = before
    return pictures, errors


class _Known:
    """
    Stands in for the reader of a detector: READs give features that are there already.

    :ivar index: the frame that is stepped.
    """

    def __init__(self, reader: FrameReader, features: Sequence[Tensor]) -> None:
        self._reader, self._features = reader, features
        self.index = 0

    def __getattr__(self, name: str) -> Any:
        """Pass on what is not changed."""
        return getattr(self._reader, name)

    def read(self, frames: Sequence[LoadedFrame]) -> Tensor:
        """Give F of the frame that is stepped."""
        return self._features[self.index]


@torch.inference_mode()
def _measure(
    detector: StreamingDetector, clip: Clip, configs: dict[str, StreamConfig]
) -> tuple[dict[str, Measured], list[Geometry]]:
    """Measure the window's frames but the first under each policy; each is read once."""
    reader, features, geometries = detector.reader, [], []
    looks: list[Tensor] = []
    for index in range(min(WINDOW, len(clip))):
        loaded = reader.load(STREAM, clip.frame(index))
        geometries.append(loaded.geometry)
        features.append(reader.read([loaded]))
        if detector.network.config.peek:
            looks.append(reader.look([loaded]))
    known = _Known(reader, features)
    detector.reader = known  # type: ignore[assignment]
    try:
        result = {
            policy: _compare(detector, clip, config, known, features, looks)
            for policy, config in configs.items()
        }
    finally:
        detector.reader = reader
        detector.forget(STREAM)
    return result, geometries


def _compare(
    detector: StreamingDetector, clip: Clip, config: StreamConfig, known: _Known,
    features: Sequence[Tensor], looks: Sequence[Tensor],
) -> Measured:
    """
    Step one policy from a fresh start, and hold each forecast against what is read.

    :param looks: at the thumbnail of each frame; none where the network does not peek.
    """
    maps: list[FloatArray] = []
    actions: list[str] = []
    detector.config = config
    detector.forget(STREAM)
    for index, read in enumerate(features):
        memory = detector.memory(STREAM)
        if memory is not None:
            forecast = memory.forecast
            if memory.look is not None:
                forecast, _ = detector.network.glance(
                    forecast, memory.converted, looks[index], memory.look
                )
            distance = (read - forecast).norm(dim=1) / read.norm(dim=1).mean()
            maps.append(distance[0].double().cpu().numpy())
        known.index = index
        result = detector.step({STREAM: clip.frame(index)})[STREAM]
        if isinstance(result, StepFailure):
            raise result.error
        actions.append(result.decision.action.name)
    return maps, actions[1:]


def _draw(
    clip: Clip, measured: dict[str, Measured], geometries: Sequence[Geometry]
) -> list[dict[str, Any]]:
    """Show the same frames for every policy, in the same colours."""
    places = _places(next(iter(measured.values()))[1])
    brightest = max(1e-9, float(np.percentile(
        [maps[k] for maps, _ in measured.values() for k in places], BRIGHTEST_PERCENTILE
    )))
    pictures = []
    for k in places:
        image = clip.read(k + 1)
        for policy, (maps, actions) in measured.items():
            small = _blend(
                shrink(image), maps[k] / brightest, geometries[k + 1]
            )
            pictures.append({
                'kind': 'heat', 'clip': clip.name, 'index': k + 1, 'action': actions[k],
                'policy': policy, 'caption': f'mean error {maps[k].mean():.3f}',
                'brightest': round(brightest, 4),
                'size': [small.shape[1], small.shape[0]], 'boxes': [], 'jpeg': to_jpeg(small),
            })
    return pictures


def _places(actions: Sequence[str]) -> list[int]:
    """Choose frames in a row from a READ on, the one nearest to the middle of the window."""
    latest = max(0, len(actions) - HEAT_FRAMES)
    reads = [k for k in range(latest + 1) if actions[k] == Action.READ.name]
    start = min(reads, key=lambda k: abs(k - latest / 2), default=latest // 2)
    return list(range(start, min(len(actions), start + HEAT_FRAMES)))


def _blend(
    image: NDArray[np.uint8], error: FloatArray, geometry: Geometry
) -> NDArray[np.uint8]:
    """
    Lay an error map over an image that is turned grey; yellow is much.

    :param image: (H, W, 3), uint8, RGB, the whole image at any size.
    :param error: (h, w), 0 to 1, over the network's whole input.
    """
    height, width = image.shape[:2]
    # From pixels of the picture to cells, centre to centre; cells beside the image drop out.
    shown = geometry.image_size[0] / width, geometry.image_size[1] / height
    columns = _cells(width, shown[0] * geometry.scale[0], geometry.offset[0])
    rows = _cells(height, shown[1] * geometry.scale[1], geometry.offset[1])
    grid = np.meshgrid(columns, rows)
    heat = cv2.remap(
        error.astype(np.float32), grid[0], grid[1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    coloured = cv2.applyColorMap(
        np.clip(255 * heat, 0, 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS
    )[:, :, ::-1]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]
    return np.asarray(0.45 * grey + 0.55 * coloured, np.uint8)


def _cells(pixels: int, scale: float, offset: int) -> NDArray[np.float32]:
    """Place pixel centres among cell centres: 0.0 is the first cell's."""
    return (((np.arange(pixels) + 0.5) * scale + offset) / STRIDE - 0.5).astype(np.float32)
