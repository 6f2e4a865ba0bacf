"""Cached features: augmented stretches of video, read once by a backbone that is finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from tqdm import tqdm

from ..data.base import ClipDataset
from ..engine.memory import tree_map
from ..model.fuse import fuse_norms
from ..model.network import ForecastNetwork
from . import distributed
from .losses import Target
from .recipes import TemporalRecipe
from .samples import clip_indices, draw_transform, images_to_tensor, to_target

READ_BATCH = 11
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Segment:
    """
    A stretch of one clip under one augmentation.

    :ivar features: F of every frame, (L, C, H, W), half precision.
    :ivar targets: objects of every frame, input pixels.
    :ivar previews: features of every thumbnail, (L, C', H, W), where the network peeks.
    :ivar clip: name of the clip.
    """

    features: Tensor
    targets: list[Target]
    previews: Tensor | None = None
    clip: str = ''

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.targets)


@dataclass(frozen=True)
class SequenceBatch:
    """
    Sequences of n frames and one more.

    :ivar features: (B, n + 1, C, H, W), single precision.
    :ivar targets: of each frame of each sequence.
    :ivar previews: (B, n + 1, L, H, W), single precision, where the network peeks.
    :ivar clips: names of the sequences' clips.
    """

    features: Tensor
    targets: list[list[Target]]
    previews: Tensor | None = None
    clips: list[str] = field(default_factory=list)


def fill_bank(
    network: ForecastNetwork,
    dataset: ClipDataset,
    recipe: TemporalRecipe,
    turns: bool,
    seed: int,
    device: torch.device,
) -> list[Segment]:
    """
    Read augmented stretches of every clip (about 50 kB a frame at 256 channels of 10x10).

    A stretch is long enough for a sequence at the largest stride.
    """
    reader = fuse_norms(network).to(device)
    size = network.config.input_size
    length = recipe.frames * (recipe.thinning + 1) + 1
    segments = []
    with tqdm(total=len(dataset.clips) * recipe.segments, desc='caching features',
              unit='segment') as bar:
        for clip_number, clip in enumerate(dataset.clips):
            for number in range(recipe.segments):
                rng = np.random.default_rng((seed, clip_number, number))
                start = int(rng.integers(max(1, len(clip) - length + 1)))
                indices = range(start, min(start + length, len(clip)))
                images = [clip.read(i) for i in indices]
                truths = [clip.truth(i) for i in indices]
                boxes = truths[len(truths) // 2].boxes
                transform = draw_transform(
                    rng,
                    (images[0].shape[1], images[0].shape[0]),
                    size,
                    turns=turns,
                    letterbox=network.config.resize == 'letterbox',
                    scale=(0.65, 1.3),
                    around=boxes[rng.integers(len(boxes))] if len(boxes) else None,
                )
                pairs = [transform(image, truth) for image, truth in zip(images, truths)]
                laid = [pair[0] for pair in pairs]
                segments.append(
                    Segment(
                        in_batches(reader.read, laid, device),
                        [to_target(pair[1]) for pair in pairs],
                        preview_features(reader, laid, device),
                        clip.name,
                    )
                )
                bar.update()
    return segments


def preview_features(
    reader: ForecastNetwork, images: list[Image], device: torch.device
) -> Tensor | None:
    """Make features of the thumbnails of images of the input's size, if the network peeks."""
    if not reader.reduction:
        return None
    height, width = (side // reader.reduction for side in reader.config.input_size)
    small = [
        np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for image in images
    ]
    return in_batches(reader.preview, small, device)


@torch.inference_mode()
def in_batches(
    extract: Callable[[Tensor], Tensor], images: list[Image], device: torch.device
) -> Tensor:
    """Extract features of images of one size, (L, C, H, W), half precision, on the CPU."""
    parts = [
        extract(images_to_tensor(images[i:i + READ_BATCH]).to(device)).half().cpu()
        for i in range(0, len(images), READ_BATCH)
    ]
    return torch.cat(parts).contiguous()


def draw_sequences(
    bank: list[Segment], count: int, frames: int, thinning: int, seed: tuple[int, ...],
    cut: float = 0.0,
) -> SequenceBatch:
    """
    Draw sequences of ``frames`` frames; the same seed gives the same ones.

    :param count: of all processes together; each gets its share.
    :param thinning: largest frame stride minus one.
    :param cut: probability that a sequence cuts to another segment on its way.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    mine = distributed.own(range(count))
    for number in range(count):
        parts = [_draw(bank, frames, thinning, rng)]
        at = frames
        if cut and rng.random() < cut:
            parts.append(_draw(bank, frames, thinning, rng))
            at = int(rng.integers(1, frames))
        # The bank may lie on disk: only what is this process's is read.
        if number in mine:
            drawn.append(_splice([_take(*part) for part in parts], at))
    features, previews = tree_map(
        lambda *parts: torch.stack(parts).float(), *((s.features, s.previews) for s in drawn)
    )
    return SequenceBatch(
        features, [s.targets for s in drawn], previews, [s.clip for s in drawn],
    )


def _draw(
    bank: list[Segment], frames: int, thinning: int, rng: np.random.Generator
) -> tuple[Segment, list[int]]:
    segment = bank[rng.integers(len(bank))]
    return segment, clip_indices(rng, len(segment), frames, thinning)


def _take(segment: Segment, at: list[int]) -> Segment:
    features, previews = tree_map(lambda x: x[at], (segment.features, segment.previews))
    return Segment(features, [segment.targets[i] for i in at], previews, segment.clip)


def _splice(parts: list[Segment], at: int) -> Segment:
    """Go on from one sequence with a second, if there is one, at a frame."""
    if len(parts) == 1:
        return parts[0]
    first, second = parts
    features, previews = tree_map(
        lambda x, y: torch.cat([x[:at], y[at:]]),
        (first.features, first.previews), (second.features, second.previews),
    )
    return Segment(
        features, first.targets[:at] + second.targets[at:], previews,
        f'{first.clip}, {second.clip}',
    )
