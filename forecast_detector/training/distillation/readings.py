"""What reading gives of every frame, kept, and runs of frames drawn from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...engine.memory import Maps, tree_map
from ...evaluation.store import FeatureStore
from ...model.yolox.head import Raw
from ...types import Detections

# Weakest detections that are kept of a reading.
LEAST_SCORE = 0.05
DETECT_BATCH = 16


class Readings:
    """
    F, previews and detections of every frame of some clips.

    :ivar store: what was read.
    :ivar detections: of each frame, boxes in pixels of the network's input.
    """

    def __init__(self, store: FeatureStore) -> None:
        """Detect on what was read."""
        self.store = store
        self._lengths = np.array([len(clip) for clip in store.clips])
        self.detections: list[Detections] = []
        for first, length in zip(store.first, self._lengths):
            for start in range(0, int(length), DETECT_BATCH):
                frames = range(start, min(start + DETECT_BATCH, int(length)))
                self.detections += self.detect(self.features([first + at for at in frames]))
        self._weights = self._interest()
        self._alike = self._by_size()

    def _interest(self) -> np.ndarray:
        """Weigh clips: longer ones and those with more objects are drawn more often, by roots."""
        objects = np.array([
            np.mean([len(self.detections[first + k]) for k in range(length)])
            for first, length in zip(self.store.first, self._lengths)
        ])
        weights = np.sqrt(self._lengths * (0.25 + objects))
        return np.asarray(weights / weights.sum())

    def _by_size(self) -> list[np.ndarray]:
        """Group clips by the size of their inputs: only these fit in a batch."""
        of_size: dict[tuple[int, int], list[int]] = {}
        for clip in range(len(self._lengths)):
            of_size.setdefault(self.store.input_size(clip), []).append(clip)
        return [np.array(clips) for clips in of_size.values()]

    @torch.inference_mode()
    def detect(self, features: Maps) -> list[Detections]:
        """Detect on features, in pixels of the network's input."""
        detector = self.store.detector
        config = detector.config.replace(score_threshold=LEAST_SCORE)
        return detector.detect(features, config)

    @torch.no_grad()
    def outputs(self, features: Maps) -> tuple[Raw, ...]:
        """Give what the head of the network that read makes of F."""
        return tuple(self.store.detector.network.detect(features))

    def features(self, frames: Sequence[int]) -> Maps:
        """Give F of frames, one row each."""
        return tree_map(Tensor.float, self.store.features(frames))

    def previews(self, frames: Sequence[int]) -> Maps:
        """Give the thumbnails of frames."""
        return self.store.previews(frames)

    def name(self, frame: int) -> str:
        """Name the clip of a frame."""
        return self.store.clips[int(np.searchsorted(self.store.first, frame, 'right')) - 1].name

    def draw(
        self, rng: np.random.Generator, count: int, length: int, thinning: int, cut: float = 0.0
    ) -> np.ndarray:
        """
        Draw runs of frames, of clips whose inputs are of one size.

        :param length: frames after the first; clips too short for a stride take a smaller one,
            and repeat their last frame if none fits.
        :param cut: probability that a run goes on in another clip.
        :returns: numbers of frames, (length + 1, count).
        """
        shares = np.array([self._weights[clips].sum() for clips in self._alike])
        clips = self._alike[int(rng.choice(len(shares), p=shares / shares.sum()))]
        runs = np.stack([self._run(rng, clips, length, thinning) for _ in range(count)], axis=1)
        for column in np.flatnonzero(rng.random(count) < cut):
            at = int(rng.integers(1, length + 1))
            runs[at:, column] = self._run(rng, clips, length, thinning)[at:]
        return runs

    def _run(
        self, rng: np.random.Generator, clips: np.ndarray, length: int, thinning: int
    ) -> np.ndarray:
        weights = self._weights[clips]
        clip = int(rng.choice(clips, p=weights / weights.sum()))
        frames = int(self._lengths[clip])
        most = max(1, min(1 + thinning, (frames - 1) // length))
        stride = int(rng.integers(1, most + 1))
        start = int(rng.integers(0, max(1, frames - stride * length)))
        run = np.minimum(start + stride * np.arange(length + 1), frames - 1)
        return np.asarray(self.store.first[clip] + run)
