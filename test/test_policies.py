"""The table of policies: what is made, measured and drawn follows from it."""

from pathlib import Path
import re

import pytest

from forecast_detector.policies.boxes import BoxBaseline
from forecast_detector.policies.registry import make_runner
from forecast_detector.policies.table import (
    AUTO,
    BASELINES,
    CARRIERS,
    decisions,
    marks,
    OTHERS,
    POLICIES,
    SCHEDULED_CARRIERS,
    SWEPT,
    TABLE,
    takes_p,
)
import forecast_detector.report
from forecast_detector.types import Policy


@pytest.mark.parametrize('policy', [name for name in POLICIES if name != 'oracle'])
def test_every_policy_can_be_made(steered, policy):
    runner = make_runner(policy, steered, p=0.5)
    by_itself = policy in {live.value for live in Policy}
    carries = policy in (*CARRIERS, *SCHEDULED_CARRIERS)
    assert isinstance(runner, BoxBaseline) == (carries and not by_itself)
    if isinstance(runner, BoxBaseline):
        assert (runner.read_every is None) == TABLE[policy].takes_p


def test_every_carrier_goes_with_the_reads_of_the_scheduler():
    assert tuple(f'scheduled_{name}' for name in CARRIERS) == SCHEDULED_CARRIERS
    assert {name for name in POLICIES if takes_p(name)} == {'scheduler', *SCHEDULED_CARRIERS}
    assert not takes_p('of an older file') and not takes_p(None)
    assert not any(entry.takes_p and entry.takes_read_every for entry in TABLE.values())


def test_the_engine_and_sweeps_know_no_others():
    for policy in set(Policy) - {Policy.AUTO}:
        entry = TABLE[policy.value]
        assert (policy.takes_p, policy.carries) == (entry.takes_p, bool(entry.carrier))
        assert policy.takes_read_every == entry.takes_read_every
        assert policy.suited(True) is policy.suited(False) is policy
    # What auto is asks for the same decisions, whatever the weights.
    for moves in (False, True):
        policy = Policy.AUTO.suited(moves)
        assert policy is not Policy.AUTO and policy.takes_p
        asked = decisions(policy.value, 0.5, 2, {'blend': True, 'accumulate': True})
        auto = decisions(AUTO, 0.5, 2, {'blend': True, 'accumulate': True})
        assert {**asked, 'policy': AUTO} == auto
    assert set(SWEPT) <= set(BASELINES) <= set(POLICIES) - {'scheduler', 'read'}
    assert 'oracle' not in SWEPT


def test_marks_tell_policies_apart_and_their_classes_have_a_style():
    drawn = marks(['newcomer', *BASELINES, 'scheduler'])
    assert list(drawn) == ['scheduler', *BASELINES, 'newcomer']
    assert drawn['newcomer'] is OTHERS[0]
    assert len({(mark.sides, mark.classes) for mark in drawn.values()}) == len(drawn)
    assert len({(mark.marker, mark.classes) for mark in drawn.values()}) == len(drawn)
    css = (Path(forecast_detector.report.__file__).parent / 'templates/report.css').read_text()
    styled = set(re.findall(r'\.([\w-]+) ', css))
    assert {name for mark in drawn.values() for name in mark.classes.split()} <= styled
