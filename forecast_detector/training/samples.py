"""Training images and clips drawn from a data set, with their augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from ..config import ModelConfig
from ..data.base import Clip, ClipDataset, Truth
from ..data.transforms import ClipTransform, CropAndTurn, draw_window, Photometric
from . import distributed
from .losses import Target
from .recipes import DetectorRecipe

Sample = tuple[NDArray[np.uint8], Truth]


@dataclass(frozen=True)
class StillBatch:
    """
    This process's share of a batch of single images.

    :ivar images: (B, 3, H, W), uint8.
    :ivar targets: objects of each image.
    :ivar clips: names of the clips that they come from.
    """

    images: Tensor
    targets: list[Target]
    clips: list[str]


def draw_transform(
    rng: np.random.Generator,
    image_size: tuple[int, int],
    size: tuple[int, int],
    *,
    turns: bool,
    letterbox: bool = True,
    scale: tuple[float, float] = (0.6, 1.4),
    around: NDArray[np.float32] | None = None,
) -> ClipTransform:
    """
    Draw the augmentation of a clip.

    :param image_size: (width, height) of the source.
    :param size: (height, width) of the result.
    :param letterbox: keep the aspect, as inference will; else stretch.
    """
    aspect = size[1] / size[0] if letterbox else image_size[0] / image_size[1]
    window = draw_window(rng, image_size, aspect, scale, around)
    quarter = int(rng.integers(4)) if turns and size[0] == size[1] else 0
    geometry = CropAndTurn(window, bool(rng.random() < 0.5), quarter)
    return ClipTransform(geometry, Photometric.draw(rng), size)


class StillSampler:
    """
    Single annotated frames.

    Clips that have any are drawn uniformly: a long one has no more to say than a short one.

    :raises ValueError: if no frame was annotated.
    """

    def __init__(
        self, dataset: ClipDataset, model: ModelConfig, recipe: DetectorRecipe, seed: int
    ) -> None:
        self._size = model.input_size
        self._letterbox = model.resize == 'letterbox'
        self._mosaic, self._turns = recipe.mosaic, recipe.turns
        self._seed = seed
        self._clips = dataset.clips
        self._annotated: dict[int, list[int]] = {}
        # Data sets read a truth when it is asked for: the first one that is there is enough.
        if not any(clip.truth(i).annotated for clip in dataset.clips for i in range(len(clip))):
            raise ValueError('no frame of the data set was annotated: there is nothing to learn')

    def _draw(self, rng: np.random.Generator) -> tuple[Clip, int]:
        """Draw a clip that has annotated frames, and one of these."""
        while True:
            number = int(rng.integers(len(self._clips)))
            clip = self._clips[number]
            if number not in self._annotated:
                self._annotated[number] = [
                    index for index in range(len(clip)) if clip.truth(index).annotated
                ]
            frames = self._annotated[number]
            if frames:
                return clip, frames[int(rng.integers(len(frames)))]

    def _crop(
        self, rng: np.random.Generator, size: tuple[int, int], scale: tuple[float, float],
        clips: list[str],
    ) -> Sample:
        """Crop from a frame of some clip, whose name joins ``clips``."""
        clip, index = self._draw(rng)
        clips.append(clip.name)
        image, truth = clip.read(index), clip.truth(index)
        around = truth.boxes[rng.integers(len(truth))] if len(truth) else None
        transform = draw_transform(
            rng, (image.shape[1], image.shape[0]), size, turns=self._turns,
            letterbox=self._letterbox, scale=scale, around=around,
        )
        return transform(image, truth)

    def sample(self, rng: np.random.Generator, clips: list[str]) -> Sample:
        """
        Draw one augmented image, either one frame or a mosaic of four crops.

        :param clips: the names of the clips that it comes from are added here.
        """
        if rng.random() >= self._mosaic:
            return self._crop(rng, self._size, (0.55, 1.4), clips)
        height, width = self._size
        half = (height // 2, width // 2)
        image = np.empty((height, width, 3), np.uint8)
        truths = []
        for row in range(2):
            for column in range(2):
                # Half the window on half the output: objects keep their scale, give or take.
                tile, truth = self._crop(rng, half, (0.3, 0.9), clips)
                y, x = row * half[0], column * half[1]
                image[y:y + half[0], x:x + half[1]] = tile
                boxes = truth.boxes + np.array([x, y, x, y], np.float32)
                truths.append(Truth(boxes, truth.labels, truth.tracks))
        return image, Truth(
            np.concatenate([t.boxes for t in truths]),
            np.concatenate([t.labels for t in truths]),
            np.concatenate([t.tracks for t in truths]),
        )

    def batches(self, batch_size: int, first: int, last: int) -> Iterator[StillBatch]:
        """
        Give the batches of steps ``first`` to ``last``; one is prepared ahead in a thread.

        An image depends on the seed, its step and its place in the batch alone, so a resumed
        run sees the same ones, and several processes together see what one would.

        :param batch_size: of all processes together.
        """
        places = distributed.own(range(batch_size))

        def make(step: int) -> StillBatch:
            clips: list[str] = []
            samples = [
                self.sample(np.random.default_rng((self._seed, step, place)), clips)
                for place in places
            ]
            return StillBatch(
                images_to_tensor([s[0] for s in samples]), [to_target(s[1]) for s in samples],
                clips,
            )

        with ThreadPoolExecutor(1) as pool:
            ahead = None
            for step in range(first, last):
                batch = ahead.result() if ahead else make(step)
                ahead = pool.submit(make, step + 1) if step + 1 < last else None
                yield batch


def images_to_tensor(images: list[NDArray[np.uint8]]) -> Tensor:
    """Stack (H, W, 3) uint8 images to (B, 3, H, W) uint8, channels last in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def to_target(truth: Truth) -> Target:
    """Convert annotated objects in input pixels to tensors; crowds are none."""
    return Target(
        torch.from_numpy(truth.boxes), torch.from_numpy(truth.labels), truth.annotated
    )


def clip_indices(
    rng: np.random.Generator, length: int, frames: int, thinning: int
) -> list[int]:
    """
    Draw ``frames`` of ``length`` indices at equal intervals (section 4.2).

    The stride is q + 1 with q drawn from 0 to min(floor(l / n) - 1, r); a clip that is too
    short repeats its last frame.
    """
    most = max(0, min((length - 1) // max(1, frames - 1) - 1, thinning))
    stride = int(rng.integers(most + 1)) + 1
    span = (frames - 1) * stride + 1
    start = int(rng.integers(max(1, length - span + 1)))
    return [min(start + i * stride, length - 1) for i in range(frames)]
