"""Parameters that are kept for later: what is in force does not go by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..types import Budget, Policy

# Those that only a budget goes by.
OF_BUDGET = ('budget_target', 'p_least', 'p_most')


def why_idle(names: Iterable[str], values: Mapping[str, Any]) -> str:
    """
    Say which of these parameters have no effect at present, and why; '' for none.

    :param names: those that were set; one of a single camera counts as that of all.
    :param values: in force.
    """
    policy, budget = Policy(values['policy']), Budget(values['budget'])
    said = []
    for name in names:
        if why := _why(name.rpartition('.')[2], policy, budget):
            said.append(f'{name} is kept and has no effect now: {why}')
    return '; '.join(said)


def _why(name: str, policy: Policy, budget: Budget) -> str:
    if name == 'p' and not policy.takes_p:
        return f'policy {policy.value} does not ask the scheduler'
    if name == 'p' and budget is not Budget.NONE:
        return f'budget {budget.value} moves p'
    if name == 'read_every' and not policy.takes_read_every:
        return f'policy {policy.value} has no fixed distance'
    if name in OF_BUDGET and budget is Budget.NONE:
        return 'budget is none'
    return ''
