"""Detections of a run written to a file, and those of any detector read from one."""

from __future__ import annotations

import argparse
import sys
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..data.base import ClipDataset
    from ..evaluation.run import ClipRun
    from ..scoring.bootstrap import Interval
    from ..scoring.dump import Dump
    from ..scoring.metrics import ScoredClip


def dump(args: argparse.Namespace, dataset: ClipDataset, runs: Sequence[ClipRun]) -> None:
    """Write the detections of every frame."""
    from ..data.registry import category_ids
    from ..scoring.dump import results, write_dump

    # Bags number no classes: which number means what depends on who asks.
    ids, names = category_ids(dataset), dataset.labels if args.dataset == 'rosbag' else None
    write_dump(args.dump, (
        row
        for clip, one in zip(dataset.clips, runs)
        for index, step in enumerate(one.steps)
        for row in results(clip.image_id(index), step.detections, ids, names)
    ))


def read(path: str, dataset: ClipDataset) -> tuple[list[ScoredClip], Dump]:
    """Read detections of any detector and set them beside the truth; tells what was left out."""
    from ..data.registry import category_ids
    from ..scoring.dump import read_dump
    from ..scoring.metrics import ScoredClip
    from ..types import Detections

    images = [[clip.image_id(i) for i in range(len(clip))] for clip in dataset.clips]
    dump = read_dump(path, [i for ids in images for i in ids], category_ids(dataset),
                     dataset.labels)
    for count, why in (
        (dump.elsewhere, 'for images that are not measured here (of another stride, split or '
                         'data set)'),
        (dump.foreign, 'of classes that the data set does not know (it has '
                       f'{", ".join(dataset.labels) or "none"})'),
    ):
        if count:
            print(f'note: {path}: {count} of its {dump.results} results are {why}: left out',
                  file=sys.stderr)
    frames = sum(len(ids) for ids in images)
    if not dump.results:
        print(f'note: {path}: holds no results; all objects count as missed', file=sys.stderr)
    elif len(dump.found) < frames:
        print(f'note: {path}: {frames - len(dump.found)} of {frames} frames have no result: '
              'nothing was found there, or they were not run, as with another --stride',
              file=sys.stderr)
    return [
        ScoredClip(clip.name, [dump.found.get(image, Detections()) for image in ids],
                   [clip.truth(i) for i in range(len(clip))])
        for clip, ids in zip(dataset.clips, images)
    ], dump


def how_sure(dataset: ClipDataset, scored: list[ScoredClip]) -> Interval:
    """
    Resample the clips to tell how sure the mean average precision is.

    :raises ValueError: if there is no object to find.
    """
    from ..scoring.bootstrap import interval
    from ..scoring.matching import Rule
    from ..scoring.metrics import ALL, outcomes

    return interval(outcomes(scored, len(dataset.labels), Rule.PLAIN, ())[ALL])


def compare(path: str, dataset: ClipDataset, scored: list[ScoredClip]) -> dict[str, Any]:
    """Compare with other detections of the same frames."""
    from ..scoring.bootstrap import paired_difference
    from ..scoring.matching import Rule
    from ..scoring.metrics import ALL, outcomes

    classes, others = len(dataset.labels), read(path, dataset)[0]
    result: dict[str, Any] = {'file': path}
    for name, rule in (('map50', Rule.PLAIN), ('map50_tolerant', Rule.TOLERANT)):
        ours, theirs = (outcomes(clips, classes, rule, ())[ALL] for clips in (scored, others))
        gap = paired_difference(ours, theirs)
        result[name] = {'difference': gap.value, 'low': gap.low, 'high': gap.high}
    return result
