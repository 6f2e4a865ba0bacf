"""
A budget moves p: so many READs, or so much time, on average, whatever the scene and the load.

p bounds the harm that a run of forecasts may do, -log p; its logarithm is moved by how far each
step was over or under the target (integral control; the tracking of a quantile of adaptive
conformal inference, Gibbs and Candès 2021). What is spent over N frames then differs from the
target by no more than what p can move, over N. All streams share p, so READs go where the
scheduler is least sure.
"""

from __future__ import annotations

import math

from ..config import StreamConfig
from ..types import Budget

# How much of an error moves the logarithm of the harm.
GAIN = 0.2
# A step that took so many times its target was held up by something else.
MOST_ERROR = 3.0
# Frames over which what is spent is averaged to be shown.
WINDOW = 100
# p beyond these is as good as 1, and as 0.
NEARLY_ALL, NEARLY_NONE = 0.9995, 1e-6


class Steering:
    """
    Holds the budget of all streams of a detector.

    :ivar now: what is spent at present, in the unit of the target; NaN before the first step.
    """

    def __init__(self) -> None:
        """Start from the p of the configuration."""
        self.now = math.nan
        self._kind = Budget.NONE
        self._level = 0.0

    def p(self, config: StreamConfig) -> float:
        """Give the p of the next step."""
        if config.budget is Budget.NONE:
            self._kind = Budget.NONE
            return config.p
        if config.budget is not self._kind:
            self._kind, self.now, self._level = config.budget, math.nan, _level(config.p)
        low, high = _level(config.p_most), _level(config.p_least)
        self._level = min(max(self._level, low), high)
        if self._level == low:
            return config.p_most
        return config.p_least if self._level == high else math.exp(-math.exp(self._level))

    def spent(self, config: StreamConfig, reads: int, frames: int, elapsed_ms: float) -> None:
        """Take in a step: how many of its frames were READ, and how long it took."""
        if config.budget is Budget.NONE or not frames:
            return
        target, count = config.budget_target, 1
        if config.budget is Budget.READ_SHARE:
            spent, error, count = reads / frames, reads - target * frames, frames
        elif config.budget is Budget.LATENCY:
            spent, error = elapsed_ms, elapsed_ms / target - 1
        else:
            spent, error = 1e3 / max(elapsed_ms, 1e-6), elapsed_ms * target / 1e3 - 1
        self._level += GAIN * max(-MOST_ERROR, min(error, MOST_ERROR))
        share = min(1.0, count / WINDOW)
        self.now = spent if math.isnan(self.now) else self.now + share * (spent - self.now)

    def describe(self, config: StreamConfig) -> str:
        """Say what is held, and what is spent at present; '' without a budget."""
        if config.budget is Budget.NONE:
            return ''
        now = '' if math.isnan(self.now) else f', now {self.now:.3g}'
        return f'budget {config.budget.value} {config.budget_target:g}{now}'


def _level(p: float) -> float:
    """Turn p into the logarithm of the harm that it allows."""
    return math.log(-math.log(min(max(p, NEARLY_NONE), NEARLY_ALL)))
