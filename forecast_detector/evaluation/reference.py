"""What reading every frame gives, in the place of a truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.base import Clip, Truth
from ..data.views import JudgedClip
from ..data.voc_video import link
from ..policies.detector import evaluation_config
from ..types import Detections, Policy
from .rollout import run_settings, Setting
from .run import ClipRun, Done, ignore
from .store import FeatureStore

# A box goes on with the track of a box of its class in the frame before from this IoU on.
LINK_IOU = 0.3


def as_truths(read: Sequence[Detections | None], score: float) -> list[Truth]:
    """
    Take what reading gives for the objects that are there.

    Boxes of frames in a row that overlap become tracks, best overlap first. One that has no
    such neighbour has no track: how fast it moves is unknown.

    :param read: detections of each frame; None for one that could not be read: it is not judged.
    :param score: weaker ones are left out.
    """
    truths: list[Truth] = []
    before, fresh = Truth(), 0
    for found in read:
        if found is None:
            before, now = Truth(), Truth(annotated=False)
        else:
            kept = found.above(score)
            now = Truth(kept.boxes, kept.labels, np.full(len(kept), -1))
            before = now = link(before, now, LINK_IOU, fresh)[0]
            fresh = max(fresh, int(now.tracks.max(initial=-1)) + 1)
        truths.append(now)
    return _without_lone(truths)


def _without_lone(truths: Sequence[Truth]) -> list[Truth]:
    """Take the track from boxes that are all that there is of it."""
    numbers, counts = np.unique(
        np.concatenate([np.zeros(0, np.int64), *(one.tracks for one in truths)]),
        return_counts=True)
    lone = numbers[counts == 1]
    return [
        Truth(one.boxes, one.labels, np.where(np.isin(one.tracks, lone), -1, one.tracks),
              one.annotated) for one in truths
    ]


def judged_by(read: ClipRun, clip: Clip, score: float) -> JudgedClip:
    """Put what a run that read every frame gave in the place of a clip's truth."""
    return JudgedClip(clip, as_truths([step.detections for step in read.steps], score))


def judged_store(store: FeatureStore, score: float, done: Done = ignore) -> FeatureStore:
    """
    Put what reading gives in the place of the truth of all clips of a store.

    :param done: called with the number of frames stepped, for progress.
    """
    (runs,) = run_settings(store, [Setting(evaluation_config(Policy.READ))], done)
    return store.judged(
        [judged_by(run, clip, score) for run, clip in zip(runs, store.clips)])
