"""A whole sweep: features read once, every point, what is compared and recommended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..data.base import Clip, ClipDataset
from ..engine import StreamingDetector
from ..policies.registry import make_runner
from ..records.evaluation import Percentiles
from ..records.sweep import Pair, PairedTimes, Sweep
from ..scoring.judging import BY_TRUTH, judge, Judging
from .points import differences, Point, recommend, unmet_shares
from .reference import judged_store
from .run import Done, ignore, run_clips
from .store import FeatureStore
from .sweep import Sweeper
from .timing import Stopwatch


@dataclass(frozen=True)
class Wish:
    """A budget that p is recommended for, see :func:`~.points.recommend`."""

    share: float | None = None
    ms: float | None = None
    loss: float | None = None


def trade_off(
    detector: StreamingDetector, dataset: ClipDataset, baselines: Sequence[str],
    changes: Mapping[str, Any], wish: Wish, done: Done = ignore,
    say: Callable[[str], object] = lambda text: None,
    on_bad: Callable[[Clip, Exception], None] | None = None, judging: Judging = BY_TRUTH,
) -> tuple[Sweep, Sequence[Clip]]:
    """
    Sweep a data set.

    :param changes: other settings of the streams that forecast.
    :param say: called with what goes on.
    :param on_bad: given clips that cannot be used, see :class:`~.store.FeatureStore`.
    :param judging: what is judged by.
    :returns: what was found, and the clips that it was measured on.
    """
    watch = Stopwatch()
    say('reading')
    store = FeatureStore(detector, dataset.clips, done, on_bad=on_bad)
    reading = watch.seconds('read')
    if judging.reading is not None:
        say('reference')
        store = judged_store(store, judging.reading, done)
    sweep = Sweeper(store, dataset.labels, done, judging, **changes)
    points: list[Point] = []
    for point in sweep.points(baselines):
        points.append(point)
        say(f'{len(points)} points, last {point}')
    chosen = recommend(points, wish.share, wish.ms, wish.loss)
    return Sweep(
        points=[point.record() for point in points], unmet_shares=unmet_shares(points),
        differences=differences(points), recommended=chosen.record() if chosen else None,
        frames=sum(len(clip) for clip in store.clips),
        latency_ms=PairedTimes(_pair(sweep.timed.read_ms), _pair(sweep.timed.forecast_ms)),
        **watch.seconds('sweep'), **reading,
    ), store.clips


def _pair(times: Percentiles | None) -> Pair | None:
    return (times.p50, times.p95) if times else None


def with_pass(
    record: Sweep, detector: StreamingDetector, clips: Sequence[Clip],
    labels: Sequence[str], done: Done = ignore, judging: Judging = BY_TRUTH,
) -> Sweep:
    """Do what ``evaluate --policy read`` does, and add how long it takes."""
    watch = Stopwatch()
    runs = run_clips(make_runner('read', detector), clips, done)
    judge([one.scored(clip) for one, clip in zip(runs, clips)], labels, judging)
    return replace(record, **watch.seconds('pass'))
