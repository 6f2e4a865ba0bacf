"""
Is it worth to read a part of the picture where a READ of all of it is too dear?

    .venv/bin/python benchmarks/parts.py coco coco_vid ROOT [--split val] [--stride 3]

Whole READs of every k-th frame, FORECASTs between, against a crop of every frame: it goes through
the reader, and its maps replace those of the FORECAST, but for a cell of 32 pixels at its sides.
A rule chooses its place: where much is unexplained or old, near objects. Beside that stands what
an ideal crop would give (`true maps`: those of a whole READ are pasted), and an oracle that places
the crop where the FORECAST is furthest from a READ (`oracle`).

Work is the share of pixels read. Agreement is with a READ of every frame, classes pooled (AP at
an IoU of one half, against what that finds at a score of 0.4 or more), recall is at a score of
0.3; both are means over clips. The gain is in points of agreement over whole READs of the same
work, interpolated clip by clip, with its 95 % interval of a bootstrap over clips. The second table
has it clip by clip, beside the median of the objects' longer sides in pixels of the input. That is
trimmed to the picture's shape.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice, product
from typing import Any, NamedTuple

from data_options import data_parser, opened
import numpy as np
from parts_gain import Outcome, Plan, plans, show, show_clips
import torch
from torch import Tensor
import torch.nn.functional as F
from tqdm import tqdm
from trimmed_input import matched, SCORE

from forecast_detector.boxes import Geometry, GRID
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.data.base import Clip, Truth
from forecast_detector.engine import StreamingDetector
from forecast_detector.engine.memory import tree_map
from forecast_detector.evaluation.reference import as_truths
from forecast_detector.model.yolox.head import peaks, Raw
from forecast_detector.model.yolox.network import Features, YoloxNetwork
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.postprocess import to_image
from forecast_detector.preprocess import lay_image
from forecast_detector.types import Detections, Policy

CONFIG = evaluation_config(Policy.READ)
# Of the rule: what eight frames of age count, as unexplained grey, and a cell without an object.
AGE, NOTHING = 0.2, 0.03


class Reading(NamedTuple):
    """A frame read as a whole: its input (1, 3, H, W), F, its thumbnail, and how it lies there."""

    picture: Tensor
    features: Features
    preview: Any
    geometry: Geometry


class Part(NamedTuple):
    """A part of the input, in cells of the coarsest map."""

    top: int
    left: int
    height: int
    width: int

    def of(self, values: Tensor, cells: tuple[int, int]) -> Tensor:
        """Take the part of a map or a picture, (..., H, W), of so many cells; a view."""
        times = values.shape[-2] // cells[0]
        top, left, height, width = (times * one for one in self)
        return values[..., top:top + height, left:left + width]

    def inside(self, cells: tuple[int, int]) -> Part:
        """Leave out a cell at each side, but where the picture ends."""
        top, left = int(self.top > 0), int(self.left > 0)
        bottom = int(self.top + self.height < cells[0])
        right = int(self.left + self.width < cells[1])
        return Part(self.top + top, self.left + left,
                    self.height - top - bottom, self.width - left - right)


def read_clip(detector: StreamingDetector, clip: Clip, most: int) -> list[Reading]:
    """Read so many frames of a clip, at most, as a whole."""
    reader: Any = detector.reader
    readings = []
    for index in islice(clip.walk(), most):
        loaded = reader.load(clip.frame(index))
        laid = lay_image(loaded.image, loaded.geometry, detector.network.fill)
        readings.append(Reading(
            torch.from_numpy(laid).permute(2, 0, 1)[None], reader.read([loaded]),
            reader.preview([loaded]), loaded.geometry))
    clip.release()
    return readings


def parts(cells: tuple[int, int], side: int) -> list[Part]:
    """Give every crop of a side, in pixels, that fits into the input; it is cut to that."""
    height, width = (min(side // GRID, of) for of in cells)
    return [Part(top, left, height, width) for top, left in product(
        range(cells[0] - height + 1), range(cells[1] - width + 1))]


def paste(features: Features, crop: Features, part: Part) -> Features:
    """Put F of a crop in its place in F of the picture; what is inside is as fresh as a READ."""
    height, width = features.staleness.shape[-2:]
    inside, pasted = part.inside((height, width)), tree_map(Tensor.clone, features)
    within = inside._replace(top=inside.top - part.top, left=inside.left - part.left)
    for own, new in zip(
        [*pasted.maps, *pasted[1:]], [*crop.maps, *crop[1:]], strict=True
    ):
        inside.of(own, (height, width)).copy_(within.of(new, (part.height, part.width)))
    return pasted


def by_rule(features: Features) -> Tensor:
    """Say what it is worth to read each cell, (h, w): what is unexplained or old, near objects."""
    objects = peaks([one[:, -1:] for one in features.maps]).amax(1)
    unexplained, age = features.staleness[0]
    return (unexplained + AGE * age) * (F.max_pool2d(objects, 3, 1, 1)[0] + NOTHING)


def by_error(forecast: Sequence[Raw], read: Sequence[Raw]) -> Tensor:
    """Say how far what the head makes of each cell is from a READ, (h, w), over all strides."""
    total = torch.zeros(())
    for own, true in zip(forecast, read):
        one, other = own.objects.sigmoid(), true.objects.sigmoid()
        sure = torch.maximum(one, other)
        boxes = (own.boxes - true.boxes).abs().mean(1, keepdim=True).clamp(max=1)
        classes = (own.classes.sigmoid() - true.classes.sigmoid()).abs().amax(1, keepdim=True)
        error = ((one - other).abs() + sure * (boxes + classes)) * (sure > 0.1)
        total = total + F.max_pool2d(error, error.shape[-2] // read[-1].objects.shape[-2])
    return total[0, 0]


def read_part(
    network: YoloxNetwork, features: Features, now: Reading, plan: Plan
) -> tuple[Features, float]:
    """Read a part of a frame; gives F with that, and the share of the picture."""
    worth = (by_error(network.detect(features), network.detect(now.features)) if plan.oracle
             else by_rule(features))
    cells = (worth.shape[0], worth.shape[1])
    part = max(parts(cells, plan.crop),
               key=lambda one: float(one.inside(cells).of(worth, cells).sum()))
    crop = (tree_map(lambda one: part.of(one, cells), now.features) if plan.true_maps
            else network.read(part.of(now.picture, cells)))
    return paste(features, crop, part), part.height * part.width / worth.numel()


@torch.inference_mode()
def run(
    detector: StreamingDetector, readings: list[Reading], plan: Plan
) -> tuple[list[Detections], float]:
    """Follow a plan over a clip; gives detections of each frame, and the share of pixels read."""
    network: Any = detector.network
    found, work, features = [], 0.0, readings[0].features
    for index, now in enumerate(readings):
        share = 0.0
        if index % plan.whole == 0:
            features, share = now.features, 1.0
        else:
            seen, _ = network.correct(features, now.preview, readings[index - 1].preview)
            features = network.settle(seen)
            if plan.crop:
                features, share = read_part(network, features, now, plan)
        work += share
        found.append(to_image(detector.detect(features, CONFIG)[0], now.geometry))
    return found, work / len(readings)


def side(truths: list[Truth], geometry: Geometry) -> float:
    """Give the median of the objects' longer sides, in pixels of the input; NaN without one."""
    boxes = np.concatenate([geometry.to_input(one.boxes) for one in truths])
    return float(np.median((boxes[:, 2:] - boxes[:, :2]).max(1))) if len(boxes) else np.nan


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = data_parser(__doc__)
    parser.add_argument('--input', type=int, default=832, help='longer side, pixels')
    parser.add_argument('--crop', type=int, nargs='+', default=[256, 320], help='sides, pixels')
    parser.add_argument('--clips', nargs='+', help='names; all by default')
    parser.add_argument('--frames', type=int, default=30, help='of a clip, at most')
    options = parser.parse_args()
    if any(one < 3 * GRID or one % GRID for one in options.crop):
        parser.error(f'--crop: {options.crop}; expected multiples of {GRID}, {3 * GRID} or more')
    return options


def main() -> None:
    """Measure and print two tables."""
    options = arguments()
    checkpoint = load_checkpoint(options.weights)
    if not isinstance(checkpoint.network, YoloxNetwork):
        raise SystemExit(f'{options.weights}: a {type(checkpoint.network).__name__}; expected a '
                         'YOLOX with forecasts, as coco')
    detector = StreamingDetector(
        checkpoint, CONFIG, 'cpu', (options.input, options.input), 'trim', 'torch')
    every = {one.name: one for one in opened(options, checkpoint.config.labels).clips}
    if unknown := set(options.clips or ()) - set(every):
        raise SystemExit(f'--clips: no {sorted(unknown)}; expected some of {sorted(every)}')
    clips = [every[name] for name in options.clips or every]
    outcomes: dict[Plan, list[Outcome]] = {plan: [] for plan in plans(options.crop)}
    sides = {}
    with tqdm(total=len(clips) * len(outcomes), unit='pass') as bar:
        for clip in clips:
            readings = read_clip(detector, clip, options.frames)
            truths = as_truths(run(detector, readings, Plan(1))[0], SCORE)
            sides[clip.name] = side(truths, readings[0].geometry)
            for plan, column in outcomes.items():
                found, work = run(detector, readings, plan)
                column.append(Outcome(work, matched(found, truths), sum(map(len, truths))))
                bar.update()
    if not any(one.objects for one in outcomes[Plan(1)]):
        raise SystemExit(f'no object in {list(sides)}; expected some: take other clips or weights')
    show(outcomes)
    show_clips(outcomes, sides)


if __name__ == '__main__':
    main()
