"""
How far forecast features are from what reading gives, cell by cell (the paper's Fig. 6).

At frame t+1 the error of a cell is ||F - Fc||, F read from the image, Fc forecast at frame t,
in units of the mean ||F|| of the frame. Where the network peeks, Fc is the forecast as the
thumbnails corrected it. It is there for READ frames too, where Fc goes unused.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
import torch.nn.functional as F

from ..boxes import Geometry
from ..config import StreamConfig
from ..data.base import Clip
from ..data.views import ClipView
from ..engine import StreamingDetector
from ..engine.memory import Maps, seen_maps, tree_map
from ..policies.detector import evaluation_config
from ..records.trace import Action as ActionName
from ..records.trace import ACTIONS, ErrorCurve, Picture
from ..types import Action, BadFrameError, Policy
from .pictures import shrink, spread, to_jpeg
from .store import FeatureStore

FloatArray = NDArray[np.float64]
Measured = tuple[list[FloatArray], list[ActionName]]
STREAM = 'forecast error'
HEAT_CLIPS, HEAT_FRAMES, WINDOW = 2, 4, 60
# What the brightest colour means is settled by the maps shown: nearly their highest value.
BRIGHTEST_PERCENTILE = 99.5


def show_errors(
    detector: StreamingDetector, clips: Sequence[Clip], p: float | None = None
) -> tuple[list[Picture], list[ErrorCurve]]:
    """
    Compare the scheduler's forecasts with those of the fixed rule.

    ``alternate`` reads every second frame.

    :param p: of the scheduler, None for that of the detector's configuration.
    :returns: pictures of kind ``heat``; and the mean error a frame, for each clip and policy.
    """
    if p is None:
        scheduled = detector.config.policy.takes_p
        p = detector.config.p if scheduled else StreamConfig().p
    configs = {
        f'scheduler, p = {p:g}': evaluation_config(Policy.SCHEDULER, p),
        'alternate': evaluation_config(Policy.ALTERNATE),
    }
    pictures: list[Picture] = []
    errors: list[ErrorCurve] = []
    long = [clip for clip in clips if len(clip) > HEAT_FRAMES]
    long = long or [clip for clip in clips if len(clip) > 1]
    for clip in (long[at] for at in spread(len(long), HEAT_CLIPS)):
        try:
            store = FeatureStore(detector, [ClipView(clip, range(min(WINDOW, len(clip))))])
        except BadFrameError:
            # Errors need every image of the window; the run itself got on without this one.
            continue
        measured = {policy: _compare(store, config) for policy, config in configs.items()}
        pictures += _draw(clip, measured, store)
        errors += [
            ErrorCurve(clip.name, policy, list(range(1, len(maps) + 1)), actions,
                       [round(float(m.mean()), 5) for m in maps])
            for policy, (maps, actions) in measured.items()
        ]
    return pictures, errors


@torch.inference_mode()
def _compare(store: FeatureStore, config: StreamConfig) -> Measured:
    """Step one policy over a clip, and hold each forecast against what is read."""
    detector = store.streaming()
    maps: list[FloatArray] = []
    actions: list[ActionName] = []
    for number in range(len(store.clips[0])):
        frame = store.frame(number)
        expected = detector.expect(STREAM, frame)
        if expected is not None:
            forecast = detector.forecaster.settle(expected.features)
            maps.append(relative_error(store.features([number]), forecast))
        result = detector.step({STREAM: frame}, {STREAM: config})[STREAM].or_raise()
        actions.append(ACTIONS[result.decision.action])
    return maps, actions[1:]


def relative_error(read: Maps, forecast: Maps) -> FloatArray:
    """
    Error of a forecast in each cell, in units of the mean norm of what is read.

    :returns: (h, w); of several maps their mean, on the cells of the largest.
    """
    errors: list[Tensor] = []

    def add(true: Tensor, guess: Tensor) -> Tensor:
        errors.append((true - guess).norm(dim=1) / true.norm(dim=1).mean())
        return true

    tree_map(add, seen_maps(read), seen_maps(forecast))
    largest = max((one.shape[1:] for one in errors), key=lambda size: size[0] * size[1])
    errors = [
        one if one.shape[1:] == largest
        else F.interpolate(one[None], largest, mode='bilinear')[0] for one in errors
    ]
    return torch.cat(errors).mean(dim=0).double().cpu().numpy()


def _draw(
    clip: Clip, measured: dict[str, Measured], store: FeatureStore
) -> list[Picture]:
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
                shrink(image), maps[k] / brightest, store.geometry(k + 1))
            pictures.append(Picture(
                'heat', clip.name, k + 1, actions[k], f'mean error {maps[k].mean():.3f}',
                (small.shape[1], small.shape[0]), [], to_jpeg(small), policy=policy,
                brightest=round(brightest, 4),
            ))
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
    in_height, in_width = geometry.input_size
    cell = in_width / error.shape[1], in_height / error.shape[0]
    columns = _cells(width, shown[0] * geometry.scale[0], geometry.offset[0], cell[0])
    rows = _cells(height, shown[1] * geometry.scale[1], geometry.offset[1], cell[1])
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


def _cells(pixels: int, scale: float, offset: int, cell: float) -> NDArray[np.float32]:
    """Place pixel centres among cell centres: 0.0 is the first cell's."""
    return (((np.arange(pixels) + 0.5) * scale + offset) / cell - 0.5).astype(np.float32)
