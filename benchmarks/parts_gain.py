"""What reading a part of the picture gains, and tables of it; see parts.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from trimmed_input import agreement

from forecast_detector.scoring.bootstrap import clip_weights

# Every how manieth frame is read as a whole: without crops, and beside them.
WHOLE, BESIDE = (1, 2, 3, 4, 6, 8), (8, 16)
SHOWN = 0.3


class Plan(NamedTuple):
    """
    What is read: all of every ``whole``-th frame, and a crop of the others.

    :ivar crop: its side, pixels; 0 for none.
    :ivar oracle: whether an oracle places it; ``true_maps``: whether those of a whole READ serve.
    """

    whole: int
    crop: int = 0
    oracle: bool = False
    true_maps: bool = False

    def __str__(self) -> str:
        """Describe it."""
        crop = f'crop {self.crop}, ' if self.crop else ''
        kind = 'oracle, ' * self.oracle + 'true maps, ' * self.true_maps
        return f'{crop}{kind}whole 1/{self.whole}'


def plans(crops: Sequence[int]) -> list[Plan]:
    """Give what is compared: whole READs, then each crop with few of these beside it."""
    kinds = product(crops, (False, True), (False, True), BESIDE)
    return [*map(Plan, WHOLE), *(
        Plan(whole, crop, oracle, true_maps) for crop, oracle, true_maps, whole in kinds)]


@dataclass(frozen=True)
class Outcome:
    """What a plan gave on a clip; without an object there, agreement and recall are NaN."""

    work: float
    matches: list[tuple[float, bool]]
    objects: int

    @property
    def agreement(self) -> float:
        """Average precision."""
        return agreement(self.matches, self.objects) if self.objects else np.nan

    @property
    def recall(self) -> float:
        """Share of the objects that are found and shown."""
        found = sum(hit and score >= SHOWN for score, hit in self.matches)
        return found / self.objects if self.objects else np.nan


def gains(outcomes: dict[Plan, list[Outcome]], plan: Plan) -> np.ndarray:
    """Give points of agreement over whole READs of the same work, of each clip; NaN for none."""
    whole = [outcomes[Plan(every)] for every in sorted(WHOLE, reverse=True)]
    return np.array([100 * (own.agreement - np.interp(
        own.work, [one.work for one in base], [one.agreement for one in base], left=np.nan))
        for own, *base in zip(outcomes[plan], *whole)])


def interval(values: np.ndarray) -> str:
    """Write the mean of clips with its interval; those without a value are left out."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return ''.join(f'{one:+.1f}' for one in values)
    means = clip_weights(len(values), 4000) @ values / len(values)
    low, high = np.quantile(means, (0.025, 0.975))
    return f'{values.mean():+.1f} [{low:+.1f}, {high:+.1f}]'


def show(outcomes: dict[Plan, list[Outcome]]) -> None:
    """Print a line for each plan."""
    print('| | work | agreement | all clips pooled | recall | gain |\n|---|---|---|---|---|---|')
    for plan, clips in outcomes.items():
        pooled = agreement([one for clip in clips for one in clip.matches],
                           sum(clip.objects for clip in clips))
        work, mean, recall = np.nanmean(
            [(one.work, one.agreement, one.recall) for one in clips], axis=0)
        gain = interval(gains(outcomes, plan)) if plan.crop else ''
        print(f'| {plan} | {work:.3f} | {mean:.3f} | {pooled:.3f} | {recall:.3f} | {gain} |')


def show_clips(outcomes: dict[Plan, list[Outcome]], clips: dict[str, float]) -> None:
    """
    Print the gain of each crop by the rule for each clip, by the size of its objects.

    :param clips: names, and the size, see :func:`side`.
    """
    chosen = [plan for plan in outcomes if plan == Plan(plan.whole, plan.crop) and plan.crop]
    print(f'\n| clip | side | {" | ".join(map(str, chosen))} |\n{"|---" * (2 + len(chosen))}|')
    rows = zip(clips.items(), *(gains(outcomes, plan) for plan in chosen))
    for (name, size), *row in sorted(rows, key=lambda one: one[0][1]):
        print(f'| {name} | {size:.0f} | {" | ".join(f"{one:+.1f}" for one in row)} |')
