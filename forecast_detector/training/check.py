"""Training data that cannot be trained on is named, before it becomes a NaN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.base import Clip, ClipDataset, Truth
from ..data.views import ClipView


class CheckedClip(ClipView):
    """A clip whose images and truth are checked whenever they are asked for."""

    def __init__(self, clip: Clip, classes: int) -> None:
        super().__init__(clip)
        self._classes = classes

    def read(self, index: int) -> NDArray[np.uint8]:
        """
        Decode a frame.

        :raises ValueError: for an image of another shape or type; names clip and frame.
        """
        image = self.clip.read(index)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                f'{self.name}, frame {index}: an image of shape {image.shape} and type '
                f'{image.dtype}; expected (H, W, 3), uint8'
            )
        return image

    def truth(self, index: int) -> Truth:
        """
        Return a frame's annotated objects.

        :raises ValueError: for boxes that are not finite or have no area, and for labels that
            are no class; names clip and frame.
        """
        truth = self.clip.truth(index)
        where = f'{self.name}, frame {index}'
        boxes, labels = truth.boxes, truth.labels
        sides = boxes[:, 2:] - boxes[:, :2]
        bad = ~(np.isfinite(boxes).all(axis=1) & (sides > 0).all(axis=1))
        if bad.any():
            raise ValueError(
                f'{where}: box {boxes[bad][0].tolist()} is not finite or has no area; correct '
                'the annotation'
            )
        foreign = (labels < 0) | (labels >= self._classes)
        if foreign.any():
            raise ValueError(
                f'{where}: label {int(labels[foreign][0])} is none of the {self._classes} '
                'classes of the data set; correct the annotation'
            )
        return truth


def checked(dataset: ClipDataset) -> ClipDataset:
    """
    Wrap a data set so that what cannot be trained on is an error that names it.

    :raises ValueError: if there is no clip, or one without frames, or no object in any.
    """
    empty = [clip.name for clip in dataset.clips if len(clip) == 0]
    if empty or not dataset.clips:
        raise ValueError(
            f'clips without frames: {empty[:10]}; leave them out of the data set' if empty
            else 'the data set has no clips; check --root and --split'
        )
    truths = (clip.truth(index) for clip in dataset.clips for index in range(len(clip)))
    if all(len(truth) == 0 for truth in truths):
        raise ValueError(
            'no frame of the data set has an annotated object: there is nothing to learn'
        )
    classes = len(dataset.labels)
    return ClipDataset(dataset.labels, [CheckedClip(clip, classes) for clip in dataset.clips])
