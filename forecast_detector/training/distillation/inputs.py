"""What the network's input was of every frame that was read, for phases that read again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...engine.reading import load_image
from ...evaluation.store import FeatureStore, room_in_file
from ...preprocess import lay_image
from .. import interrupt


class Inputs:
    """
    Inputs of the frames of a store, in a temporary file: 0.3 MB for one of 256x416.

    Frames drawn at random from a video would each have to be decoded from its beginning.
    """

    def __init__(self, store: FeatureStore) -> None:
        """
        Decode every frame.

        :raises BadFrameError: for a frame that can no longer be used.
        :raises OSError: if the temporary file finds no room.
        :raises InterruptedTraining: if a signal asked to stop.
        """
        self._store = store
        count = sum(len(clip) for clip in store.clips)
        bytes_of = [3 * np.prod(store.geometry(k).input_size) for k in range(count)]
        self._ends = np.cumsum(bytes_of, dtype=np.int64)
        self._room = room_in_file((int(self._ends[-1]),), np.dtype(np.uint8))
        with tqdm(total=count, desc='decoding', unit='frame') as bar:
            for first, clip in zip(store.first, store.clips):
                for at in range(len(clip)):
                    self._input(first + at)[:] = lay_image(
                        load_image(clip.frame(at)), store.geometry(first + at),
                        store.detector.network.fill)
                    bar.update()
                    interrupt.stop_if_requested('between two frames')
                clip.release()

    def _input(self, frame: int) -> np.ndarray:
        """Give the input of a frame, (height, width, 3), RGB."""
        height, width = self._store.geometry(frame).input_size
        end = self._ends[frame]
        return self._room[end - 3 * height * width:end].reshape(height, width, 3)

    def images(self, frames: Sequence[int]) -> Tensor:
        """Give the inputs of frames, which are of one size, (B, 3, H, W), RGB, uint8."""
        stacked = np.stack([self._input(frame) for frame in frames])
        return torch.from_numpy(stacked).to(self._store.detector.device).permute(0, 3, 1, 2)
