"""Clips whose classes are numbered as the weights do, whatever else is annotated in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import logging

import numpy as np

from .base import Clip, ClipDataset, Truth
from .views import ClipView

_logger = logging.getLogger(__name__)


class RelabelledClip(ClipView):
    """A clip with its objects numbered by another list; those of classes not in it are gone."""

    def __init__(self, clip: Clip, names: Sequence[str], labels: Sequence[str]) -> None:
        """
        Take a clip.

        :param names: class names that its labels index now.
        :param labels: those that they are to index.
        """
        super().__init__(clip)
        self._places = np.array(
            [labels.index(name) if name in labels else -1 for name in names], np.int64)

    def truth(self, index: int) -> Truth:
        """Return a frame's objects of known classes."""
        truth = self.clip.truth(index)
        labels, crowds = self._places[truth.labels], self._places[truth.crowd_labels]
        kept, near = labels >= 0, crowds >= 0
        return replace(
            truth, boxes=truth.boxes[kept], labels=labels[kept], tracks=truth.tracks[kept],
            crowd_boxes=truth.crowd_boxes[near], crowd_labels=crowds[near],
        )


def relabelled(dataset: ClipDataset, labels: Sequence[str]) -> ClipDataset:
    """
    Number the classes of a data set by the weights' list; the log names those not in it.

    :param labels: class names of the weights.
    """
    if tuple(dataset.labels) == tuple(labels):
        return dataset
    foreign = [name for name in dataset.labels if name not in labels]
    if foreign:
        shown = ', '.join(foreign[:5]) + (' …' if len(foreign) > 5 else '')
        _logger.warning('annotations of classes that the weights do not know are passed over: %s',
                        shown)
    clips = [RelabelledClip(clip, dataset.labels, labels) for clip in dataset.clips]
    ids = getattr(dataset, 'category_ids', None)
    if ids is None:
        return replace(dataset, labels=tuple(labels), clips=clips)
    return replace(dataset, labels=tuple(labels), clips=clips, category_ids={  # type: ignore
        labels.index(name): ids[k] for k, name in enumerate(dataset.labels)
        if name in labels and k in ids
    })
