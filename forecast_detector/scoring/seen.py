"""What a user sees at a score threshold: the share of objects, how well, how soon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..types import Detections
from .columns import Frames, Truths
from .matching import FloatArray, match, Pairs, Rule, thresholds

# An object that is not found by then counts as so many frames.
LIMIT = 30


def seen(truths: Truths, shown: Sequence[Sequence[Detections]]) -> NDArray[np.bool_]:
    """
    Tell which objects are found: IoU of at least 1/2, right class, one detection an object.

    :param shown: the detections from the user's threshold on, clip by clip and frame by frame.
    :returns: (M,) for the objects of all annotated frames.
    """
    detected, scores = truths.detected(shown)
    true = truths.frames
    hits = match(_pairs(detected, true), scores, (detected.labels, true.labels),
                 thresholds(true.boxes, Rule.PLAIN))
    found = np.zeros(len(true.labels), bool)
    found[hits[hits >= 0]] = True
    return found


def overlaps(truths: Truths, shown: Sequence[Sequence[Detections]]) -> FloatArray:
    """
    Tell how well objects are found: the best IoU of a detection of their class, 0 without one.

    :returns: (M,), as for :func:`seen`.
    """
    detected, _ = truths.detected(shown)
    true = truths.frames
    pairs = _pairs(detected, true)
    alike = detected.labels[pairs.detected] == true.labels[pairs.true]
    best = np.zeros(len(true.labels))
    np.maximum.at(best, pairs.true[alike], pairs.shared[alike])
    return best


def _pairs(detected: Frames, true: Frames) -> Pairs:
    return Pairs.of((detected.counts, true.counts), (detected.boxes, true.boxes), Rule.PLAIN)


def share(values: NDArray[np.bool_] | FloatArray) -> float | None:
    """Give the mean; None of nothing."""
    return float(values.mean()) if len(values) else None


def frames_to_find(
    truths: Truths, found: NDArray[np.bool_], trackless: bool = False
) -> float | None:
    """
    Count the frames until a new object is found, on the mean.

    An object is new where its track begins, if the frame before is annotated, too (so not in
    the first one). It takes as many frames as pass before a detection finds it; if its track
    ends before that, as many as it has, and never more than ``LIMIT``.

    :param found: (M,) which objects are found, see :func:`seen`.
    :param trackless: whether a box without a track is an object of one frame; otherwise it is
        passed over.
    :returns: None where no object is new.
    """
    waits: dict[tuple[int, int], int] = {}
    open_: set[tuple[int, int]] = set()
    alone: list[int] = []
    known: set[tuple[int, int]] = set()
    rows = np.split(found, np.cumsum(truths.frames.counts)[:-1])
    for (clip, index), hits in zip(truths.places, rows):
        is_judged = index > 0 and truths.truths[clip][index - 1].annotated
        for track, hit in zip(truths.truths[clip][index].tracks.tolist(), hits.tolist()):
            key = clip, track
            if track < 0:
                alone += [not hit] if trackless and is_judged else []
                continue
            if key not in known:
                known.add(key)
                if is_judged:
                    waits[key] = 0
                    open_.add(key)
            if key in open_:
                if hit:
                    open_.remove(key)
                else:
                    waits[key] += 1
    counts = [min(LIMIT, wait) for wait in waits.values()] + alone
    return float(np.mean(counts)) if counts else None
