"""What is kept for later is said to be so, with the reason."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')

from forecast_detector.ros.idle import why_idle  # noqa: E402


@pytest.mark.parametrize(('names', 'policy', 'budget', 'said'), [
    (['p', 'score_threshold'], 'scheduler', 'none', ''),
    (['p'], 'scheduled_flow', 'none', ''),
    (['p'], 'read', 'none', 'policy read does not ask the scheduler'),
    (['cameras.front.p'], 'flow', 'none', 'cameras.front.p is kept and has no effect now: policy'),
    (['p'], 'scheduler', 'latency', 'budget latency moves p'),
    (['read_every'], 'read', 'none', 'policy read has no fixed distance'),
    (['read_every'], 'scheduled_flow', 'none', 'policy scheduled_flow has no fixed distance'),
    (['read_every'], 'alternate', 'none', ''),
    (['read_every'], 'flow', 'none', ''),
    (['budget_target', 'p_least'], 'scheduler', 'none', 'budget is none; p_least is kept'),
    (['p_most', 'budget'], 'scheduler', 'rate', ''),
])
def test_only_what_is_in_force_has_an_effect(
    names: list[str], policy: str, budget: str, said: str
) -> None:
    found = why_idle(names, {'policy': policy, 'budget': budget})
    assert said in found and bool(said) == bool(found)
