"""Whether a budget holds its target: where p is at its bound for long, it does not."""

from __future__ import annotations

import math

from ..config import StreamConfig
from ..types import Budget

# The target is missed by more than this share of it, for so many periods in a row.
OFF, PERIODS = 0.1, 10
UNITS = {Budget.READ_SHARE: 'of the frames are READ', Budget.LATENCY: 'ms a step',
         Budget.RATE: 'steps a second'}


class Held:
    """Judges a budget once a period."""

    def __init__(self) -> None:
        """Start with none judged."""
        self._missed = 0

    def trouble(self, config: StreamConfig, p: float | None, now: float) -> str:
        """
        Say that the target is missed for long, and what to do; '' where it is not.

        :param p: in force; None before it is known.
        :param now: what is spent at present, in the unit of the target; NaN before it is known.
        """
        said = '' if p is None or math.isnan(now) else _missed(config, p, now)
        self._missed = self._missed + 1 if said else 0
        return said if self._missed > PERIODS else ''


def _missed(config: StreamConfig, p: float, now: float) -> str:
    kind, target = config.budget, config.budget_target
    if kind is Budget.NONE:
        return ''
    # What p_most leaves unspent is missed only where a share is to be held.
    is_least = p <= config.p_least
    too_much = now < target * (1 - OFF) if kind is Budget.RATE else now > target * (1 + OFF)
    too_little = kind is Budget.READ_SHARE and now < target * (1 - OFF)
    if is_least and too_much:
        bound = 'p_least'
        remedy = 'a lower budget_target' if kind is Budget.RATE else 'a higher budget_target'
        if config.p_least > 0:
            remedy += ', or a lower p_least'
        elif kind is not Budget.READ_SHARE:
            remedy += ', fewer cameras or a smaller input_size'
    elif p >= config.p_most and too_little:
        bound, remedy = 'p_most', 'a lower budget_target, or a higher p_most'
    else:
        return ''
    return (
        f'budget {kind.value}: the target of {target:g} is not held: at p = {p:g} ({bound}) '
        f'{now:.3g} {UNITS[kind]}; set {remedy}'
    )
