"""All frames of a data set in memory, as JPEG: videos decode fast only in order."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..data.base import Clip, ClipDataset, Truth

QUALITY = 95


class KeptClip(Clip):
    """A clip whose frames are kept in memory and read in any order."""

    def __init__(self, clip: Clip, bar: tqdm | None = None) -> None:
        self.name, self.fps = clip.name, clip.fps
        self._frames: list[NDArray[np.uint8]] = []
        self._truths: list[Truth] = []
        for index in range(len(clip)):
            bgr = cv2.cvtColor(clip.read(index), cv2.COLOR_RGB2BGR)
            _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            self._frames.append(data)
            self._truths.append(clip.truth(index))
            if bar is not None:
                bar.update()
        # Else every video of the data set stays open.
        clip.release()

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._frames)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame: (H, W, 3), uint8, RGB."""
        bgr = cv2.imdecode(self._frames[index], cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

    def truth(self, index: int) -> Truth:
        """Return a frame's annotated objects."""
        return self._truths[index]


def store_frames(dataset: ClipDataset) -> ClipDataset:
    """Read a data set once, in order, into memory (about 25 kB a frame of 300x300)."""
    with tqdm(total=len(dataset), desc='reading frames', unit='frame') as bar:
        clips = [KeptClip(clip, bar) for clip in dataset.clips]
    return ClipDataset(dataset.labels, clips)
