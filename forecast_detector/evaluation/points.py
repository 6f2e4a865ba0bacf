"""Points of a trade-off: what a policy costs and finds at one setting; comparing and choosing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..data.base import Clip
from ..data.views import annotated_truths
from ..records.evaluation import Found, Metrics
from ..records.sweep import Difference, SweepPoint
from ..scoring.average_precision import Outcomes
from ..scoring.bootstrap import paired_difference
from ..scoring.judging import Judging, Scorer

# Baselines read every so many frames; the scheduler is brought to the same shares.
PERIODS = (1, 2, 3, 4, 6, 8)
TOLERANCE = 0.03
# Within which p is still looked for: near enough for a fair comparison.
AIM = 0.01


@dataclass(frozen=True)
class Point:
    """
    One policy at one setting.

    :ivar found: what a user finds.
    :ivar judged: what became of each detection, by the plain rule, for comparisons.
    """

    policy: str
    p: float | None
    read_every: int | None
    read_share: float
    metrics: Metrics
    found: Found
    ms_per_frame: float
    judged: Outcomes

    def record(self) -> SweepPoint:
        """Give what stands in the result."""
        metrics = self.metrics
        return SweepPoint(
            policy=self.policy, p=self.p, read_every=self.read_every, read_share=self.read_share,
            map50=metrics.map50, map50_tolerant=metrics.map50_tolerant,
            agreement50=metrics.agreement50, by_speed=metrics.by_speed,
            ms_per_frame=self.ms_per_frame, **vars(self.found),
        )

    def __str__(self) -> str:
        """Name policy and setting."""
        setting = f'p={self.p:.4g}' if self.p is not None else f'1/{self.read_every}'
        return f'{self.policy} {setting}'


def scorer(clips: Sequence[Clip], labels: Sequence[str], judging: Judging) -> Scorer:
    """Make what judges run after run by what stands for the truth of clips."""
    own = [annotated_truths(clip) for clip in clips]
    return Scorer(
        [clip.name for clip in clips],
        [[clip.truth(i) for i in range(len(clip))] for clip in clips], labels, judging,
        [one for one in own if one is not None],
    )


def differences(points: Sequence[Point]) -> list[Difference]:
    """
    Compare the scheduler with p=1 and with every baseline at the same share of READs.

    :returns: for each share and baseline the difference in precision with the 95 % interval of
        a paired bootstrap over clips; nothing where there is no truth.
    """
    scheduled = [point for point in points if point.policy == 'scheduler']
    best = max(scheduled, key=lambda point: point.read_share)
    if best.metrics.ap50 is None:
        return []
    rows = []
    for every in PERIODS[1:]:
        here = nearest(scheduled, 1 / every)
        if here is None:
            continue
        others = [q for q in points if q.policy != 'scheduler'
                  and (q.read_every == every or q.p == here.p)]
        for other in (best, *others):
            gap = paired_difference(here.judged, other.judged)
            rows.append(Difference(
                read_share=1 / every, p=here.p, versus='p=1' if other is best else other.policy,
                difference=gap.value, low=gap.low, high=gap.high,
            ))
    return rows


def nearest(points: Sequence[Point], share: float) -> Point | None:
    """Find the point nearest to a share of READs, None if none comes near enough."""
    point = min(points, key=lambda q: abs(q.read_share - share))
    return point if abs(point.read_share - share) <= TOLERANCE else None


def unmet_shares(points: Sequence[Point]) -> list[float]:
    """List the shares of READs that the scheduler was brought to by no p."""
    scheduled = [point for point in points if point.policy == 'scheduler']
    return [1 / every for every in PERIODS if nearest(scheduled, 1 / every) is None]


def recommend(
    points: Sequence[Point], share: float | None = None, ms: float | None = None,
    loss: float | None = None,
) -> Point | None:
    """
    Choose p: the highest precision within a budget, or the fewest READs within a loss.

    Any policy with a p may be chosen: under each the scheduler's READs are those of that p.

    Precision is ``map50``, or ``agreement50`` where reading is judged by.

    :param share: at most this share of READs.
    :param ms: at most so many milliseconds a frame.
    :param loss: at most so much less precision than at p=1.
    :returns: a point with a p, None if none keeps to the budget.
    """
    scheduled = [
        q for q in points if q.p is not None and q.metrics.ap50 is not None
        and (share is None or q.read_share <= share) and (ms is None or q.ms_per_frame <= ms)
    ]
    if loss is None:
        return max(scheduled, key=lambda q: q.metrics.ap50 or 0.0, default=None)
    full = next((q.metrics.ap50 or 0.0 for q in points if q.p == 1.0), 0.0)
    kept = [q for q in scheduled if (q.metrics.ap50 or 0.0) >= full - loss]
    return min(kept, key=lambda q: q.read_share, default=None)
