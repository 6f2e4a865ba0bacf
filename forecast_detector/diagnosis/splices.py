"""Clips end to end as one stream, without a reset: what happens where another scene begins?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..boxes import iou
from ..data.base import Clip, Truth
from ..data.views import SplicedClip
from ..evaluation.rollout import read_share, run_settings, Setting
from ..evaluation.run import ClipRun, Done, ignore, scored
from ..evaluation.store import FeatureStore
from ..evaluation.sweep import carry
from ..policies.detector import evaluation_config
from ..policies.registry import LIVE
from ..policies.step import Step
from ..policies.table import CARRIERS, SCHEDULED_CARRIERS, SWEPT
from ..records.diagnosis import Cuts
from ..records.evaluation import Interval
from ..scoring.bootstrap import clip_weights
from ..scoring.judging import BY_TRUTH, judge, Judging
from ..types import Policy

# A detection counts from this score and overlap on.
FOUND_SCORE, FOUND_IOU = 0.3, 0.5
# A cut whose object is not found by then counts as so many frames.
LIMIT = 30
RESAMPLES = 2000


class NoCutError(ValueError):
    """Raised where clips have no cut that an object could be waited for at."""


def run_splices(
    store: FeatureStore, labels: Sequence[str], thresholds: Sequence[float], every: Sequence[int],
    done: Done = ignore, judging: Judging = BY_TRUTH,
) -> list[Cuts]:
    """
    Run every policy over the clips of a store, end to end.

    :param thresholds: p of the scheduler, whose FORECASTs carried boxes answer, too.
    :param every: frames a READ of the fixed policies.
    :param judging: what is judged by.
    :raises NoCutError: for fewer than two clips, or none after the first that has an object.
    """
    if len(store.clips) < 2:
        raise NoCutError('one clip has no cut to another; at least two are needed')
    if not any(len(clip.truth(i)) for clip in store.clips[1:] for i in range(len(clip))):
        raise NoCutError(
            'no clip after the first has an annotated object; there is no cut to see'
        )
    spliced = store.regrouped([SplicedClip(store.clips)])
    rows = _run(spliced, thresholds, every, done)
    waits = [frames_until_found(store.clips, steps) for _, _, _, steps in rows]
    return [
        Cuts(
            policy=policy, p=p, read_every=k, read_share=read_share([ClipRun(policy, steps)]),
            frames_until_found=wait, mean=_mean(np.array(wait)),
            versus_read=_mean(np.array(wait) - np.array(waits[0])), at_once=wait.count(0),
            missed=sum(w >= LIMIT for w in wait), **_figures(store.clips, steps, labels, judging),
        )
        for (policy, p, k, steps), wait in zip(rows, waits)
    ]


Row = tuple[str, float | None, int | None, list[Step]]


def _run(
    spliced: FeatureStore, thresholds: Sequence[float], every: Sequence[int], done: Done
) -> list[Row]:
    """Give the steps of each policy; the first reads every frame."""
    def alternate(k: int, copy: bool = False) -> Setting:
        return Setting(evaluation_config(Policy.ALTERNATE, read_every=k), copy)

    read = evaluation_config(Policy.READ)
    plan: list[tuple[str, float | None, int | None, Setting]] = [
        ('read', None, None, Setting(read))
    ]
    plan += [(policy.value, p, None, Setting(evaluation_config(policy, p)))
             for p in thresholds for policy in (Policy.SCHEDULER, Policy.SCHEDULED_FLOW)]
    for k in every:
        plan += [('alternate', None, k, alternate(k)), ('copy', None, k, alternate(k, True)),
                 ('shown', None, k, Setting(read, every=k))]
    # The others the engine runs itself.
    carried_here = tuple(name for name in SCHEDULED_CARRIERS if name not in LIVE)
    rows: list[Row] = []
    runs = run_settings(spliced, [setting for *_, setting in plan], done)
    for (policy, p, period, _), run in zip(plan, runs):
        carried = {'shown': CARRIERS, 'scheduler': carried_here}.get(policy, ())
        if policy != 'shown':
            rows.append((policy, p, period, run[0].steps))
        rows += [
            (name, p, period, carry(spliced, name, run, period or 1)[0].steps)
            for name in carried if name in SWEPT
        ]
    return rows


def frames_until_found(clips: Sequence[Clip], steps: Sequence[Step]) -> list[int]:
    """
    Count, after each cut to a clip with an object, the frames until one is found.

    :param steps: of the clips end to end.
    :returns: at most the limit each.
    """
    result, first = [], len(clips[0])
    for clip in clips[1:]:
        truths = [clip.truth(i) for i in range(len(clip))]
        shown = next((i for i, truth in enumerate(truths) if len(truth)), None)
        if shown is not None:
            hits = (
                i - shown for i in range(shown, len(clip)) if _finds(steps[first + i], truths[i])
            )
            result.append(min(LIMIT, next(hits, LIMIT)))
        first += len(clip)
    return result


def _finds(step: Step, truth: Truth) -> bool:
    found = step.detections.above(FOUND_SCORE)
    overlap = iou(truth.boxes, found.boxes) >= FOUND_IOU
    return bool((overlap & (truth.labels[:, None] == found.labels[None, :])).any())


def _mean(values: NDArray[np.int64]) -> Interval:
    """Mean with the 95 % interval of a bootstrap over cuts; one cut has none."""
    if len(values) < 2:
        return Interval(float(values.mean()), None, None)
    drawn = clip_weights(len(values), RESAMPLES) @ values / len(values)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(float(values.mean()), float(low), float(high))


def _figures(
    clips: Sequence[Clip], steps: Sequence[Step], labels: Sequence[str], judging: Judging
) -> dict[str, float | None]:
    """Score the stream, its objects by the clips that they are from."""
    parts, first = [], 0
    for clip in clips:
        parts.append(scored(clip, [s.detections for s in steps[first:first + len(clip)]]))
        first += len(clip)
    metrics, found, _ = judge(parts, labels, judging)
    return {'map50': metrics.map50, 'agreement50': metrics.agreement50,
            'recall50': found.recall50}
