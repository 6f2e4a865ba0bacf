"""Batches of augmented clips, epoch by epoch, prepared by worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..config import ModelConfig
from ..data.base import Clip, ClipDataset, Truth
from . import distributed
from .losses import Target
from .samples import clip_indices, images_to_tensor, to_target
from .sequence_recipe import SequenceRecipe
from .ssd_crop import draw_ssd_transform


@dataclass(frozen=True)
class ClipBatch:
    """
    This process's share of a batch.

    :ivar images: (B, frames, 3, H, W), uint8, RGB.
    :ivar targets: objects of each frame of each clip.
    :ivar clips: their names.
    """

    images: Tensor
    targets: list[list[Target]]
    clips: list[str]


Raw = tuple[Tensor, list[list[Truth]], list[str]]


class ClipSampler(Dataset['Raw | Exception']):
    """
    Clips by step: what a step sees follows from seed and step alone, so runs can resume.

    An epoch has ``clips_per_video`` clips of every video, in a new order, and a share of still
    images. The last batch of an epoch is filled up from its first clips.

    :ivar steps_per_epoch: optimiser steps an epoch.
    :ivar steps: of all epochs.
    """

    def __init__(
        self,
        videos: ClipDataset,
        stills: ClipDataset | None,
        recipe: SequenceRecipe,
        model: ModelConfig,
        seed: int,
        extra: int = 1,
    ) -> None:
        """
        Take the data.

        :param stills: still images as clips; needed if the recipe wants a share of them.
        :param extra: frames beside the recipe's, for the last forecast to meet.
        :raises ValueError: if stills are missing, or the processes cannot share a batch.
        """
        if recipe.stills and (stills is None or not stills.clips):
            raise ValueError(
                f'the recipe mixes {recipe.stills:g} clips of still images with each of a video; '
                'name them with --stills, or set stills: 0'
            )
        self._numbers = distributed.own(range(recipe.batch_size))
        self._videos, self._stills, self._recipe = videos, stills, recipe
        self._size, self._letterbox = model.input_size, model.resize == 'letterbox'
        self._seed, self._frames = seed, recipe.frames + extra
        self._from_videos = len(videos.clips) * recipe.clips_per_video
        self._from_stills = round(self._from_videos * recipe.stills)
        total = self._from_videos + self._from_stills
        self.steps_per_epoch = -(-total // recipe.batch_size)
        self.steps = self.steps_per_epoch * recipe.epochs

    def clips(self, step: int) -> list[Clip]:
        """List the clips of a step's whole batch."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng((self._seed, 4, epoch))
        clips = list(self._videos.clips) * self._recipe.clips_per_video
        if self._stills is not None and self._from_stills:
            pool = self._stills.clips
            chosen = rng.choice(len(pool), self._from_stills, self._from_stills > len(pool))
            clips += [pool[i] for i in chosen]
        order = rng.permutation(len(clips))
        count = self._recipe.batch_size
        places = np.arange(batch * count, (batch + 1) * count) % len(clips)
        return [clips[order[place]] for place in places]

    def thinning(self, step: int) -> int:
        """Return the largest frame stride minus one; 0 in the last epochs (section 4.2)."""
        thinned = self._recipe.epochs - self._recipe.unthinned_epochs
        return self._recipe.thinning if step // self.steps_per_epoch < thinned else 0

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __getitem__(self, step: int) -> Raw | Exception:
        """Make this process's share of a step's batch, or say what is wrong with its data."""
        try:
            return self._make(step)
        except (ValueError, OSError) as error:
            # Raised here, a worker process would bury it in its own traceback.
            return error

    def _make(self, step: int) -> Raw:
        clips = self.clips(step)
        images, truths, names = [], [], []
        for number in self._numbers:
            clip = clips[number]
            rng = np.random.default_rng((self._seed, 5, step, number))
            indices = clip_indices(rng, len(clip), self._frames, self.thinning(step))
            frames = [clip.read(i) for i in indices]
            objects = [clip.truth(i) for i in indices]
            transform = draw_ssd_transform(
                rng, (frames[0].shape[1], frames[0].shape[0]), self._size,
                objects[len(objects) // 2].boxes, self._letterbox,
            )
            pairs = [transform(image, truth) for image, truth in zip(frames, objects)]
            images.append(images_to_tensor([image for image, _ in pairs]))
            truths.append([truth for _, truth in pairs])
            names.append(clip.name)
        return torch.stack(images), truths, names

    def batches(self, first: int, workers: int) -> Iterator[ClipBatch]:
        """
        Give the batches from a step on.

        :param workers: processes that prepare them ahead; 0 prepares them in this one.
        """
        loader = DataLoader(
            self, batch_size=None, sampler=range(first, self.steps), num_workers=workers
        )
        threads = cv2.getNumThreads()
        if workers:
            # A forked process would wait forever for OpenCV's threads, which stay behind.
            cv2.setNumThreads(0)
        try:
            for made in loader:
                if isinstance(made, Exception):
                    raise made
                # Truths travel as arrays: tensors would each take a file descriptor.
                images, truths, names = made
                targets = [[to_target(truth) for truth in clip] for clip in truths]
                yield ClipBatch(images, targets, names)
        finally:
            cv2.setNumThreads(threads)
