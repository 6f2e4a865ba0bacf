"""The trade-off of accuracy against cost: the scheduler over p, every baseline at fixed shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..data.base import Clip
from ..types import Frame, Policy
from .average_precision import Outcomes
from .baselines import BoxBaseline, Carrier
from .batched import Bench, read_share, time_steps
from .bootstrap import paired_difference
from .detector import evaluation_config
from .matching import Rule
from .metrics import ALL, evaluate, Metrics, outcomes
from .oracle import run_oracle_at
from .policies import BOXES
from .run import ClipRun, latency, Step

# Baselines read every so many frames; the scheduler is brought to the same shares.
PERIODS = (1, 2, 3, 4, 6)
TOLERANCE = 0.03
BASELINES = ('alternate', 'copy', 'hold', 'kalman', 'oracle')
REFINEMENTS = 8


@dataclass(frozen=True)
class Point:
    """One policy at one setting: what it costs and what it finds."""

    policy: str
    p: float | None
    read_every: int | None
    read_share: float
    metrics: Metrics
    ms_per_frame: float
    judged: Outcomes

    def to_dict(self) -> dict[str, Any]:
        """Turn into plain values (JSON)."""
        metrics = asdict(self.metrics)
        return {
            'policy': self.policy, 'p': self.p, 'read_every': self.read_every,
            'read_share': self.read_share, 'map50': metrics['map50'],
            'map50_tolerant': metrics['map50_tolerant'], 'by_speed': metrics['by_speed'],
            'ms_per_frame': self.ms_per_frame,
        }


class Sweep:
    """
    Measures points one after the other, each a pass over the same cached features.

    :ivar timed: READ and FORECAST times of single steps, which the passes do not tell.
    """

    def __init__(self, bench: Bench, labels: Sequence[str]) -> None:
        self.bench, self.labels = bench, labels
        self.timed = time_steps(bench)
        self._confidences: list[float] = []

    def points(self, baselines: Sequence[str] = BASELINES) -> Iterator[Point]:
        """
        Measure the scheduler, then the baselines.

        :raises ValueError: for an unknown baseline.
        """
        unknown = sorted(set(baselines) - set(BASELINES))
        if unknown:
            raise ValueError(f'baselines {unknown} are unknown; known are {BASELINES}')
        yield from self._scheduler()
        for every in PERIODS[1:]:
            for policy in baselines:
                if policy in BOXES:
                    continue
                yield self._point(policy, None, every, self._fixed(policy, every))
            carried = [policy for policy in baselines if policy in BOXES]
            if carried:
                shown = self.bench.run(evaluation_config(Policy.READ), every=every)
                for policy in carried:
                    runs = carry(shown, self.bench.clips, BOXES[policy](), every)
                    yield self._point(policy, None, every, runs)

    def _scheduler(self) -> Iterator[Point]:
        """Bisect p to each share, along the confidences that occur."""
        shares: dict[float, float] = {}
        for p in (1.0, 0.0):
            yield self._at(p, shares)
        for every in PERIODS[1:]:
            for _ in range(REFINEMENTS):
                if min(abs(share - 1 / every) for share in shares.values()) <= TOLERANCE / 3:
                    break
                between = self._between(1 / every, shares)
                if between is None:
                    break
                yield self._at(between, shares)

    def _at(self, p: float, shares: dict[float, float]) -> Point:
        runs = self.bench.run(evaluation_config(Policy.SCHEDULER, p))
        self._confidences += [s.confidence for run in runs for s in run.steps[1:]]
        shares[p] = read_share(runs)
        return self._point('scheduler', p, None, runs)

    def _between(self, share: float, shares: dict[float, float]) -> float | None:
        """Choose a p between those measured whose shares enclose ``share``."""
        low = max((p for p, at in shares.items() if at < share), default=None)
        high = min((p for p, at in shares.items() if at > share), default=None)
        if low is None or high is None or high < low:
            return None
        seen = np.unique([c for c in self._confidences if low < c < high])
        return float(seen[len(seen) // 2]) if len(seen) else None

    def _fixed(self, policy: str, every: int) -> list[ClipRun]:
        if policy == 'oracle':
            return run_oracle_at(self.bench, 1 / every)
        config = evaluation_config(Policy.ALTERNATE, read_every=every)
        return self.bench.run(config, copy=policy == 'copy')

    def _point(
        self, policy: str, p: float | None, every: int | None, runs: Sequence[ClipRun]
    ) -> Point:
        clips = [run.scored(clip) for run, clip in zip(runs, self.bench.clips)]
        share = read_share(runs)
        assert self.timed.read_ms is not None and self.timed.forecast_ms is not None
        other_ms = self.timed.forecast_ms[0]
        if policy in BOXES:
            other = latency(runs).forecast_ms
            other_ms = other[0] if other else 0.0
        return Point(
            policy, p, every, share, evaluate(clips, self.labels),
            share * self.timed.read_ms[0] + (1 - share) * other_ms,
            outcomes(clips, len(self.labels), Rule.PLAIN, ())[ALL],
        )


def carry(
    shown: Sequence[ClipRun], clips: Sequence[Clip], carrier: Carrier, read_every: int
) -> list[ClipRun]:
    """
    Fill the frames between READs with carried boxes.

    :param shown: steps of the READ frames alone.
    """
    runs = []
    for run, clip in zip(shown, clips):
        height, width = clip.read(0).shape[:2]
        baseline = BoxBaseline(_Replay(run.steps), carrier, read_every)
        baseline.start(clip)
        frames = (replace(clip.frame(i), size=(width, height)) for i in range(len(clip)))
        runs.append(ClipRun(clip.name, [baseline.step(frame) for frame in frames]))
    return runs


class _Replay:
    """Gives back the steps of an earlier run, without decoding."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = iter(steps)

    def start(self, clip: Clip) -> None:
        """Begin the one clip that there is."""

    def step(self, frame: Frame) -> Step:
        """Give the next step."""
        return next(self._steps)


def differences(points: Sequence[Point]) -> list[dict[str, Any]]:
    """
    Compare the scheduler with p=1 and with every baseline at the same share of READs.

    :returns: for each share and baseline the difference in ``map50`` with the 95 % interval of
        a paired bootstrap over clips.
    """
    scheduled = [point for point in points if point.policy == 'scheduler']
    best = max(scheduled, key=lambda point: point.read_share)
    rows = []
    for every in PERIODS[1:]:
        here = min(scheduled, key=lambda point: abs(point.read_share - 1 / every))
        if abs(here.read_share - 1 / every) > TOLERANCE:
            continue
        for other in (best, *(q for q in points if q.read_every == every)):
            gap = paired_difference(here.judged, other.judged)
            rows.append({
                'read_share': 1 / every, 'p': here.p,
                'versus': 'p=1' if other is best else other.policy,
                'difference': gap.value, 'low': gap.low, 'high': gap.high,
            })
    return rows


def recommend(
    points: Sequence[Point], share: float | None = None, ms: float | None = None,
    loss: float | None = None,
) -> Point | None:
    """
    Choose p: the highest ``map50`` within a budget, or the fewest READs within a loss.

    :param share: at most this share of READs.
    :param ms: at most so many milliseconds a frame.
    :param loss: at most so much less ``map50`` than at p=1.
    :returns: a point of the scheduler, None if none keeps to the budget.
    """
    scheduled = [
        q for q in points if q.policy == 'scheduler' and q.metrics.map50 is not None
        and (share is None or q.read_share <= share) and (ms is None or q.ms_per_frame <= ms)
    ]
    if loss is None:
        return max(scheduled, key=lambda q: q.metrics.map50 or 0.0, default=None)
    full = next((q.metrics.map50 or 0.0 for q in points if q.p == 1.0), 0.0)
    kept = [q for q in scheduled if (q.metrics.map50 or 0.0) >= full - loss]
    return min(kept, key=lambda q: q.read_share, default=None)
