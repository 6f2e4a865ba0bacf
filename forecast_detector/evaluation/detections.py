"""Detections of a run written to a file, and those of any detector read from one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..data.base import ClipDataset
from ..data.registry import category_ids
from ..records.evaluation import Gap, Interval, Versus
from ..scoring.average_precision import Outcomes
from ..scoring.bootstrap import interval, paired_difference
from ..scoring.dump import Dump, read_dump, results, write_dump
from ..scoring.judging import BY_TRUTH, Judging, pooled
from ..scoring.matching import Rule
from ..scoring.metrics import ALL, outcomes, ScoredClip
from ..types import Detections
from .run import ClipRun
from .run import scored as set_beside

Note = Callable[[str], None]


def dump(path: str, dataset: ClipDataset, runs: Sequence[ClipRun], named: bool) -> None:
    """
    Write the detections of every frame.

    :param named: with the names of the classes, for data that does not number them.
    """
    ids, names = category_ids(dataset), dataset.labels if named else None
    write_dump(path, (
        row
        for clip, one in zip(dataset.clips, runs)
        for index, step in enumerate(one.steps)
        for row in results(clip.image_id(index), step.detections, ids, names)
    ))


def read(path: str, dataset: ClipDataset, note: Note) -> tuple[list[ScoredClip], Dump]:
    """Read detections of any detector and set them beside the truth; tells what was left out."""
    images = [[clip.image_id(i) for i in range(len(clip))] for clip in dataset.clips]
    found = read_dump(path, [i for ids in images for i in ids], category_ids(dataset),
                      dataset.labels)
    for count, why in (
        (found.elsewhere, 'for images that are not measured here (of another stride, split or '
                          'data set)'),
        (found.foreign, 'of classes that the data set does not know (it has '
                        f'{", ".join(dataset.labels) or "none"})'),
    ):
        if count:
            note(f'{path}: {count} of its {found.results} results are {why}: left out')
    frames = sum(len(ids) for ids in images)
    if not found.results:
        note(f'{path}: holds no results; all objects count as missed')
    elif len(found.found) < frames:
        note(f'{path}: {frames - len(found.found)} of {frames} frames have no result: '
             'nothing was found there, or they were not run, as with another --stride')
    return [
        set_beside(clip, [found.found.get(image, Detections()) for image in ids])
        for clip, ids in zip(dataset.clips, images)
    ], found


def how_sure(
    scored: Sequence[ScoredClip], labels: Sequence[str], judging: Judging = BY_TRUTH
) -> Interval:
    """
    Resample the clips to tell how sure the mean average precision, or the agreement, is.

    :raises ValueError: if there is no object to find.
    """
    return interval(_outcomes(scored, labels, Rule.PLAIN, judging))


def _outcomes(
    scored: Sequence[ScoredClip], labels: Sequence[str], rule: Rule, judging: Judging
) -> Outcomes:
    found = outcomes(scored, len(labels), rule, ())[ALL]
    return pooled(found) if judging.by_reading else found


def compare(
    path: str, dataset: ClipDataset, scored: Sequence[ScoredClip], note: Note,
    judging: Judging = BY_TRUTH,
) -> Versus:
    """Compare with other detections of the same frames."""
    others = read(path, dataset, note)[0]

    def gap(rule: Rule) -> Gap:
        ours, theirs = (
            _outcomes(clips, dataset.labels, rule, judging) for clips in (scored, others))
        found = paired_difference(ours, theirs)
        return Gap(found.value, found.low, found.high)

    if judging.by_reading:
        return Versus(path, agreement50=gap(Rule.PLAIN))
    return Versus(path, gap(Rule.PLAIN), gap(Rule.TOLERANT))
