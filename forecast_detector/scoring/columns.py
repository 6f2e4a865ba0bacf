"""Detections and truth of all frames in columns: thousands of frames are scored at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..data.base import Truth
from ..types import Detections
from .matching import FloatArray, IntArray
from .motion import motion_iou


@dataclass(frozen=True)
class Frames:
    """
    What is known of boxes, frame after frame; only frames that were annotated.

    :ivar counts: (F,) number of boxes in each frame.
    :ivar clips: (B,) index of the clip of each box.
    """

    counts: IntArray
    clips: IntArray
    boxes: NDArray[np.float32]
    labels: IntArray


class Truths:
    """
    The truth of a data set, to be prepared once and scored against often.

    :ivar places: clip and frame of each annotated frame.
    :ivar frames: the objects, without the crowds.
    """

    def __init__(self, names: Sequence[str], truths: Sequence[Sequence[Truth]], classes: int):
        """
        Take the truth of every frame of every clip.

        :param names: of the clips, for messages.
        :param classes: number of class names that labels index.
        :raises ValueError: for a label outside the classes.
        """
        self.names, self.truths, self.classes = names, truths, classes
        self.places = [
            (at, index) for at, clip in enumerate(truths)
            for index, truth in enumerate(clip) if truth.annotated
        ]
        self.frames = self._columns('true', [truths[at][i] for at, i in self.places])

    @cached_property
    def motion(self) -> FloatArray:
        """Motion IoU of each object, (M,)."""
        motion = [motion_iou(clip) for clip in self.truths]
        return np.concatenate([np.zeros(0), *(motion[at][i] for at, i in self.places)])

    def detected(self, detections: Sequence[Sequence[Detections]]) -> tuple[Frames, FloatArray]:
        """
        Put detections, clip by clip and frame by frame, into columns; with their scores.

        :raises ValueError: for a label outside the classes.
        """
        here = [detections[at][i] for at, i in self.places]
        scores = np.concatenate([np.zeros(0), *(one.scores for one in here)])
        return self._columns('detected', here), scores

    def crowded(self) -> Iterator[tuple[int, int, int, Truth]]:
        """Give the frames with a crowd: number among the annotated ones, clip, frame, truth."""
        for number, (at, index) in enumerate(self.places):
            truth = self.truths[at][index]
            if len(truth.crowd_labels):
                yield number, at, index, truth

    def _columns(self, kind: str, frames: Sequence[Truth] | Sequence[Detections]) -> Frames:
        counts = np.array([len(one) for one in frames], np.int64)
        labels = np.concatenate([np.zeros(0, np.int64), *(one.labels for one in frames)])
        wrong = np.flatnonzero((labels < 0) | (labels >= self.classes))
        if len(wrong):
            number = int(np.searchsorted(np.cumsum(counts), wrong[0], 'right'))
            at, index = self.places[number]
            raise ValueError(
                f'clip {self.names[at]}, frame {index}: {kind} labels '
                f'{np.unique(frames[number].labels)} do not all lie in [0, {self.classes}); the '
                'detections belong to other class names'
            )
        clips = np.repeat(np.array([at for at, _ in self.places], np.int64), counts)
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(one.boxes for one in frames)])
        return Frames(counts, clips, boxes, labels)
