"""The trade-off of accuracy against cost: the scheduler over p, every baseline at fixed shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
import math
from typing import Any

from ..data.base import Clip
from ..policies.detector import DetectorRunner, evaluation_config
from ..policies.registry import carry_boxes, LIVE, make_runner
from ..policies.step import Step
from ..policies.table import BASELINES, CARRIERS, SCHEDULED_CARRIERS, SWEPT
from ..records.evaluation import Percentiles
from ..scoring.judging import BY_TRUTH, Judging
from ..types import Frame, Policy
from .oracle import run_oracle_at
from .points import AIM, PERIODS, Point, scorer
from .rollout import read_share, run_settings, Setting
from .run import ClipRun, Done, ignore, Latency, latency, run_clip
from .store import FeatureStore, StoredClip
from .thresholds import sample_shares, ShareCurve
from .timing import time_steps

# Whole runs of the scheduler until a share is met, at most.
ROUNDS = 6


class Sweeper:
    """
    Measures points over features that were read once.

    :ivar timed: READ and FORECAST times of single steps, which the runs do not tell.
    """

    def __init__(
        self, store: FeatureStore, labels: Sequence[str], done: Done = ignore,
        judging: Judging = BY_TRUTH, **changes: Any,
    ) -> None:
        """
        Time single steps, and prepare to score.

        :param done: called with the number of frames stepped, for progress.
        :param judging: what is judged by; the truth of the store's clips, or what stands there.
        :param changes: other settings of the streams that forecast.
        :raises ValueError: if there is no frame.
        """
        self.store, self.done, self._changes = store, done, changes
        # Not by make_runner: weights without forecasts are swept, too.
        every_other = DetectorRunner(store.detector, evaluation_config(Policy.ALTERNATE))
        self.timed = time_steps(every_other, store.clips)
        self._scorer = scorer(store.clips, labels, judging)

    def points(self, baselines: Sequence[str] = SWEPT) -> Iterator[Point]:
        """
        Measure the scheduler, then the baselines.

        :raises ValueError: for an unknown baseline.
        """
        unknown = sorted(set(baselines) - set(BASELINES))
        if unknown:
            raise ValueError(f'baselines {unknown} are unknown; known are {BASELINES}')
        yield from self._scheduler([name for name in baselines if name in SCHEDULED_CARRIERS])
        for policy in baselines:
            if policy in ('alternate', 'copy'):
                yield from self._fixed(policy)
            if policy == 'oracle':
                for every in PERIODS[1:]:
                    runs = run_oracle_at(self.store, 1 / every, self.done)
                    yield self.point(policy, None, every, runs)
        carried = [policy for policy in baselines if policy in CARRIERS]
        if carried:
            yield from self._boxes(carried)

    def _scheduler(self, carried: Sequence[str]) -> Iterator[Point]:
        """Read every frame, then bring p to each share."""
        yield self.point('scheduler', 1.0, None, self.full)
        if self.curve is None:
            return
        shares = {1.0: 1.0}
        for _ in range(ROUNDS):
            chosen = _missing(self.curve, shares)
            if not chosen:
                break
            for p, runs in zip(chosen, self.at(chosen)):
                shares[p] = read_share(runs)
                self.curve.add(p, shares[p])
                yield self.point('scheduler', p, None, runs)
                for policy in carried:
                    yield self.point(policy, p, None, self._carry(policy, p, runs))

    def _carry(self, policy: str, p: float, runs: Sequence[ClipRun]) -> list[ClipRun]:
        """Carry boxes between the scheduler's READs, as the engine does it if it does."""
        if policy not in LIVE:
            return carry(self.store, policy, runs)
        return self.at([p], Policy(policy))[0]

    @cached_property
    def full(self) -> list[ClipRun]:
        """The scheduler at p = 1, which reads every frame."""
        return self.at([1.0])[0]

    @cached_property
    def curve(self) -> ShareCurve | None:
        """READ share by p, as sampled; None without forecasts, as no p lets any through."""
        # Within a clip a reset leaves a frame without a confidence.
        confidences = [
            step.confidence for run in self.full for step in run.steps[1:]
            if math.isfinite(step.confidence)
        ]
        if not confidences or not max(confidences) > 0:
            return None
        curve = sample_shares(self.store, confidences, self.done, **self._changes)
        curve.add(1.0, 1.0)
        return curve

    def at(
        self, thresholds: Sequence[float], policy: Policy = Policy.SCHEDULER
    ) -> list[list[ClipRun]]:
        """Run the scheduler at each p."""
        settings = [
            Setting(evaluation_config(policy, p, **self._changes)) for p in thresholds
        ]
        return run_settings(self.store, settings, self.done)

    def _fixed(self, policy: str) -> Iterator[Point]:
        settings = [
            Setting(
                # A limit of forecasts in a row is the scheduler's.
                evaluation_config(Policy.ALTERNATE, read_every=every, **{
                    **self._changes, 'max_consecutive_forecasts': 0,
                }),
                policy == 'copy',
            )
            for every in PERIODS[1:]
        ]
        for every, runs in zip(PERIODS[1:], run_settings(self.store, settings, self.done)):
            yield self.point(policy, None, every, runs)

    def _boxes(self, policies: Sequence[str]) -> Iterator[Point]:
        settings = [
            Setting(evaluation_config(Policy.READ), every=every) for every in PERIODS[1:]
        ]
        for every, shown in zip(PERIODS[1:], run_settings(self.store, settings, self.done)):
            for policy in policies:
                yield self.point(policy, None, every, carry(self.store, policy, shown, every))

    def point(
        self, policy: str, p: float | None, every: int | None, runs: Sequence[ClipRun]
    ) -> Point:
        """Score the runs of a policy at one setting."""
        share = read_share(runs)
        judged = self._scorer.judge([[step.detections for step in run.steps] for run in runs])
        return Point(policy, p, every, share, judged.metrics, judged.found,
                     self._cost(policy, share, runs), judged.outcomes)

    def _cost(self, policy: str, share: float, runs: Sequence[ClipRun]) -> float:
        """Milliseconds a frame: the steps timed singly, and the time of what carries boxes."""
        timed = self.timed
        if policy == 'copy':
            timed = self._copied
        if policy == Policy.SCHEDULED_FLOW.value:
            timed = self._carried
        own = latency(runs)
        read_ms = _median(timed.read_ms) + _median(own.read_ms)
        forecast_ms = _median(own.forecast_ms)
        if policy not in CARRIERS:
            forecast_ms += _median(timed.forecast_ms)
        return share * read_ms + (1 - share) * forecast_ms

    @cached_property
    def _carried(self) -> Latency:
        """Times of the engine where it carries boxes between the scheduler's READs."""
        config = evaluation_config(
            Policy.SCHEDULED_FLOW, 0.0, accumulate=False, max_consecutive_forecasts=1)
        return time_steps(DetectorRunner(self.store.detector, config), self.store.clips)

    @cached_property
    def _copied(self) -> Latency:
        """Times of a copy, which does not peek."""
        return time_steps(make_runner('copy', self.store.detector), self.store.clips)


def _median(times: Percentiles | None) -> float:
    """Give the median, 0 where no such step was taken."""
    return times.p50 if times else 0.0


def _missing(curve: ShareCurve, shares: dict[float, float]) -> list[float]:
    """Choose p for the shares that no run has met yet."""
    return sorted({
        curve.p_for(1 / every) for every in PERIODS
        if min(abs(share - 1 / every) for share in shares.values()) > AIM
    } - set(shares))


def carry(
    store: FeatureStore, policy: str, runs: Sequence[ClipRun], every: int = 1
) -> list[ClipRun]:
    """
    Run a policy that carries boxes over every clip, from steps taken before.

    :param runs: of each clip, the steps of all frames where the policy takes p, else of every
        ``every``-th frame. Of the frames between, thumbnails are decoded.
    """
    return [
        run_clip(carry_boxes(policy, RecordedSteps(run.steps), every), StoredClip(store, at))
        for at, run in enumerate(runs)
    ]


class RecordedSteps:
    """Gives back the steps of an earlier run, without decoding."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """Take the steps, in order."""
        self._steps = iter(steps)

    def start(self, clip: Clip) -> None:
        """Begin the one clip that there is."""

    def step(self, frame: Frame) -> Step:
        """Give the next step."""
        return next(self._steps)
