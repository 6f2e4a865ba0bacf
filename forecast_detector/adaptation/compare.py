"""Two networks with the same READ, compared where they read as often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..evaluation.points import Point, TOLERANCE
from ..evaluation.rollout import read_share
from ..evaluation.run import ClipRun, Done, ignore
from ..evaluation.store import FeatureStore
from ..evaluation.sweep import Sweeper
from ..records.evaluation import Interval
from ..scoring.bootstrap import paired_difference
from ..scoring.judging import Judging
from ..types import Policy

# Shares of READs that are compared; and between them, where p has to keep to a loss or a time.
SHARES = (1 / 2, 1 / 4, 1 / 8)
FINER = (1 / 3, 1 / 6)
# Whole runs until a share is met, at most.
ROUNDS = 5
# An interval over fewer stretches says nothing.
LEAST_STRETCHES = 5
# A share that is met as well needs no further run.
NEAR, NEAR_BELOW = 0.02, 0.008


@dataclass(frozen=True)
class Compared:
    """
    Before and after, at a share of READs.

    :ivar share: that was asked for; ``after`` reads no more often than ``before``.
    :ivar gain: in agreement, with its interval over stretches, None over few.
    """

    share: float
    before: Point
    after: Point
    gain: float
    interval: Interval | None


@dataclass(frozen=True)
class Comparison:
    """
    What was found.

    :ivar full: reading every frame, after; before it is the same.
    :ivar unmet: shares that the start weights were brought to by no p.
    """

    full: Point
    rows: Sequence[Compared]
    unmet: Sequence[float]

    def at(self, share: float) -> Compared | None:
        """Give the row of a share that was asked for."""
        return next((row for row in self.rows if row.share == share), None)


class ShareSearch:
    """Finds the p of a scheduler that give wanted shares of READs, nearer than a sweep does."""

    def __init__(self, sweep: Sweeper, policy: Policy) -> None:
        """
        Read every frame, for what the scheduler thinks of its forecasts.

        :param policy: that takes p.
        """
        self._sweep, self._policy = sweep, policy
        self._found: dict[float, Sequence[ClipRun]] = {1.0: sweep.full}
        self.full = self._point(1.0)

    def near(self, shares: Sequence[float]) -> list[Point | None]:
        """Give the point nearest to each share; None if none comes near enough."""
        return self._search(shares, NEAR, TOLERANCE)

    def below(
        self, shares: Sequence[float], first: Sequence[float] = ()
    ) -> list[Point | None]:
        """
        Give the point with the most READs up to each share.

        :param first: p that are tried before others, and taken where others are no nearer: weights
            that did not change have to come out as they went in.
        """
        self._try(sorted(set(first) - set(self._found)))
        return self._search(shares, NEAR_BELOW, 0.0)

    def _search(
        self, shares: Sequence[float], near: float, above: float
    ) -> list[Point | None]:
        """
        Run at more and more p.

        :param near: distance from which on a share is met; few frames allow no finer one.
        :param above: by how much a share may be passed.
        """
        near = max(near, 0.5 / sum(map(len, self._sweep.store.clips)))
        curve = self._sweep.curve
        for _ in range(ROUNDS):
            missing = [
                share for share in shares if not (p := self._best(share, above))
                or abs(self._share(p) - share) > near + 1e-9
            ]
            if not missing or curve is None:
                break
            # From above a share that may not be passed, p is sought a little below.
            aims = [share if above else share - near / 2 for share in missing]
            chosen = sorted({curve.p_for(aim) for aim in aims} - set(self._found))
            if not chosen:
                break
            self._try(chosen)
        best = [self._best(share, above) for share in shares]
        return [self._point(p) if p else None for p in best]

    def _try(self, thresholds: Sequence[float]) -> None:
        curve = self._sweep.curve
        if curve is None or not thresholds:
            return
        for p, runs in zip(thresholds, self._sweep.at(thresholds, self._policy)):
            self._found[p] = runs
            curve.add(p, read_share(runs))

    def _best(self, share: float, above: float) -> float | None:
        fits = [p for p in self._found if self._share(p) <= share + above + 1e-9]
        if above:
            fits = [p for p in fits if self._share(p) >= share - above]
        return min(fits, key=lambda p: abs(self._share(p) - share), default=None)

    def _share(self, p: float) -> float:
        return read_share(self._found[p])

    def _point(self, p: float) -> Point:
        return self._sweep.point(self._policy.value, p, None, self._found[p])


def check_reading(store: FeatureStore) -> None:
    """
    See that there is something to judge by.

    :param store: its clips judged by what is read.
    :raises ValueError: if reading finds no object in them.
    """
    if not any(len(clip.truth(at)) for clip in store.clips for at in range(len(clip))):
        raise ValueError(
            'reading finds no object in the parts kept aside: there is nothing to judge by; '
            'record what the robot is to see, or lower --reference-score')


def compare(
    before: FeatureStore, after: FeatureStore, shares: Sequence[float],
    labels: Sequence[str], judging: Judging, policy: Policy, done: Done = ignore,
) -> Comparison:
    """
    Compare two networks by the agreement with reading.

    :param before: of the one, its clips judged by what it reads; ``after``: of the other.
    :param shares: of READs.
    :param policy: of streams, one that takes p.
    :raises ValueError: if reading finds nothing to agree with, see :func:`check_reading`.
    """
    old, new = (
        ShareSearch(Sweeper(store, labels, done, judging), policy) for store in (before, after))
    met = [(share, point) for share, point in zip(shares, old.near(shares)) if point]
    found = new.below(
        [point.read_share for _, point in met], [point.p for _, point in met if point.p])
    rows = [
        _compared(share, first, second)
        for (share, first), second in zip(met, found) if second is not None
    ]
    return Comparison(new.full, rows, [s for s in shares if s not in {r.share for r in rows}])


def _compared(share: float, before: Point, after: Point) -> Compared:
    gap = paired_difference(after.judged, before.judged)
    enough = (before.judged.positives.sum(axis=1) > 0).sum() >= LEAST_STRETCHES
    return Compared(share, before, after, gap.value, gap if enough else None)
