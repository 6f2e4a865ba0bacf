"""A budget that cannot be held is a trouble, once that has lasted."""

from __future__ import annotations

import math

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')

from forecast_detector.config import StreamConfig  # noqa: E402
from forecast_detector.ros.held import Held, PERIODS  # noqa: E402
from forecast_detector.types import Budget  # noqa: E402


def said(config: StreamConfig, p: float | None, now: float, periods: int = PERIODS + 1) -> str:
    held, text = Held(), ''
    for _ in range(periods):
        text = held.trouble(config, p, now)
    return text


LATENCY = StreamConfig(budget=Budget.LATENCY, budget_target=5.0)
SHARE = StreamConfig(budget=Budget.READ_SHARE, budget_target=0.2, p_least=0.1, p_most=0.9)
RATE = StreamConfig(budget=Budget.RATE, budget_target=100.0)


@pytest.mark.parametrize(('config', 'p', 'now', 'words'), [
    (LATENCY, 0.0, 20.0, 'the target of 5 is not held: at p = 0 (p_least) 20 ms a step; set a hi'),
    (RATE, 0.0, 30.0, '30 steps a second; set a lower budget_target'),
    (SHARE, 0.1, 0.4, '(p_least) 0.4 of the frames are READ; set a higher budget_target, or a l'),
    (SHARE, 0.9, 0.05, '(p_most) 0.05 of the frames are READ; set a lower budget_target'),
])
def test_a_target_that_is_missed_at_a_bound_is_named_after_a_while(
    config: StreamConfig, p: float, now: float, words: str
) -> None:
    assert words in said(config, p, now)
    assert not said(config, p, now, PERIODS)
    held = Held()
    for at in range(3 * PERIODS):  # it comes and goes
        assert not held.trouble(config, 0.5 if at % PERIODS == 0 else p, now)


@pytest.mark.parametrize(('config', 'p', 'now'), [
    (StreamConfig(), 0.0, 20.0),
    (LATENCY, 0.0, 5.2), (LATENCY, 0.5, 20.0), (LATENCY, None, 20.0), (LATENCY, 0.0, math.nan),
    (LATENCY, 1.0, 2.0), (RATE, 1.0, 500.0), (SHARE, 0.1, 0.05), (SHARE, 0.9, 0.4),
])
def test_what_is_held_or_left_unspent_is_no_trouble(
    config: StreamConfig, p: float | None, now: float
) -> None:
    assert not said(config, p, now)
