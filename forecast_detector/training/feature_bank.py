"""Cached features: augmented stretches of video, read once by a backbone that is finished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..data.base import ClipDataset
from ..model.fuse import fuse_norms
from ..model.network import ForecastNetwork
from .config import TemporalRecipe
from .losses import Target
from .samples import clip_indices, draw_transform, images_to_tensor, to_target

READ_BATCH = 11


@dataclass(frozen=True)
class Segment:
    """
    A stretch of one clip under one augmentation.

    :ivar features: F of every frame, (L, C, H, W), half precision.
    :ivar targets: objects of every frame, input pixels.
    """

    features: Tensor
    targets: list[Target]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.targets)


@dataclass(frozen=True)
class SequenceBatch:
    """
    Sequences of n frames and one more.

    :ivar features: (B, n + 1, C, H, W), single precision.
    :ivar targets: of each frame of each sequence.
    """

    features: Tensor
    targets: list[list[Target]]


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
                    scale=(0.65, 1.3),
                    around=boxes[rng.integers(len(boxes))] if len(boxes) else None,
                )
                pairs = [transform(image, truth) for image, truth in zip(images, truths)]
                segments.append(
                    Segment(
                        read_features(reader, [p[0] for p in pairs], device),
                        [to_target(p[1]) for p in pairs],
                    )
                )
                bar.update()
    return segments


@torch.inference_mode()
def read_features(
    reader: ForecastNetwork, images: list[np.ndarray], device: torch.device
) -> Tensor:
    """Read F of images of the input's size, (L, C, H, W), half precision, on the CPU."""
    parts = [
        reader.read(images_to_tensor(images[i:i + READ_BATCH]).to(device)).half().cpu()
        for i in range(0, len(images), READ_BATCH)
    ]
    return torch.cat(parts).contiguous()


def draw_sequences(
    bank: list[Segment], count: int, frames: int, thinning: int, seed: tuple[int, ...]
) -> SequenceBatch:
    """
    Draw sequences of ``frames`` frames; the same seed gives the same ones.

    :param thinning: largest frame stride minus one.
    """
    rng = np.random.default_rng(seed)
    features, targets = [], []
    for _ in range(count):
        segment = bank[rng.integers(len(bank))]
        indices = clip_indices(rng, len(segment), frames, thinning)
        features.append(segment.features[indices].float())
        targets.append([segment.targets[i] for i in indices])
    return SequenceBatch(torch.stack(features), targets)
