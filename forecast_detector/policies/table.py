"""
What every policy is: the one table of them. Imports nothing heavy, for options and reports.

Another way to carry boxes between READs needs an entry in :data:`CARRIERS` and a class, see
:class:`~.boxes.Carrier`. Commands, sweeps, diagnosis and reports then know it, and it with the
scheduler's READs as ``scheduled_NAME``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Mark:
    """
    How a policy is drawn, in every plot.

    :ivar sides: of the polygon at each point: 0 is a disc, negative stands on its point.
    :ivar colour: its name in the report's style sheet.
    :ivar dash: class of the line there, '' where it is whole.
    """

    sides: int
    colour: str = 'other'
    dash: str = ''

    @property
    def classes(self) -> str:
        """Name its classes in the report's style sheet."""
        return f'policy-{self.colour} {self.dash}'.strip()

    @property
    def marker(self) -> tuple[int, int, int] | str:
        """Give its marker in matplotlib: sides, style and turn in degrees."""
        turn = 180 * (self.sides < 0 and self.sides % 2) + 45 * (self.sides == 4)
        return (abs(self.sides), 0, turn) if self.sides else 'o'


# Of policies that this version does not know.
OTHERS = (Mark(8), Mark(-6, dash='dashed'))


@dataclass(frozen=True)
class PolicyEntry:
    """
    One policy.

    :ivar takes_p: whether p steers it: the scheduler decides what is read.
    :ivar takes_read_every: whether it reads every so many frames.
    :ivar forecasts: whether the network steps on forecasts (or on copies).
    :ivar carrier: ``module.Class`` in this package of what carries its boxes between READs, so
        that options need no PyTorch; '' where the network answers every frame.
    :ivar swept: whether ``sweep`` and ``diagnose`` measure it where nothing else is asked for.
    :ivar swept_scheduled: of a carrier, whether they do so with the scheduler's READs, too.
    """

    name: str
    mark: Mark
    takes_p: bool = False
    takes_read_every: bool = True
    forecasts: bool = False
    carrier: str = ''
    swept: bool = True
    swept_scheduled: bool = False

    def scheduled(self) -> PolicyEntry:
        """Give the policy that carries boxes so between the READs of the scheduler."""
        sides = -abs(self.mark.sides) - 2
        return replace(
            self, name=f'scheduled_{self.name}', takes_p=True, takes_read_every=False,
            forecasts=True, swept=self.swept_scheduled,
            mark=replace(self.mark, sides=sides, dash='dashed'),
        )


_CARRIERS = (
    PolicyEntry('hold', Mark(-4, 'hold'), carrier='boxes.HoldBoxes'),
    PolicyEntry('kalman', Mark(3, 'kalman'), carrier='kalman.KalmanBoxes', swept_scheduled=True),
    PolicyEntry('moved', Mark(6), carrier='boxes.MovedBoxes'),
    PolicyEntry('plain_flow', Mark(7), carrier='flow.PlainFlowBoxes'),
    PolicyEntry('flow', Mark(-5, 'flow'), carrier='flow.FlowBoxes', swept_scheduled=True),
)
TABLE = {entry.name: entry for entry in (
    PolicyEntry('scheduler', Mark(0, 'scheduler'), takes_p=True, takes_read_every=False,
                forecasts=True),
    PolicyEntry('read', Mark(8), takes_read_every=False),
    PolicyEntry('alternate', Mark(4, 'alternate'), forecasts=True),
    PolicyEntry('copy', Mark(-3, 'copy'), forecasts=True),
    *_CARRIERS,
    *(entry.scheduled() for entry in _CARRIERS),
    # It costs more than all others together.
    PolicyEntry('oracle', Mark(5, 'oracle'), swept=False),
)}
POLICIES = tuple(TABLE)
# Of a stream, one of two that p steers.
AUTO = 'auto'
# Carriers at even distances, and with the scheduler's READs.
CARRIERS = tuple(name for name, e in TABLE.items() if e.carrier and not e.takes_p)
SCHEDULED_CARRIERS = tuple(name for name, e in TABLE.items() if e.carrier and e.takes_p)
# What is measured beside the scheduler; and where nothing else is asked for.
BASELINES = POLICIES[2:]
SWEPT = tuple(name for name in BASELINES if TABLE[name].swept)


def marks(policies: Iterable[str]) -> dict[str, Mark]:
    """Give the mark of each policy, in the order of the table, unknown ones last."""
    named = set(policies)
    unknown = sorted(named - set(TABLE))
    return {
        **{name: entry.mark for name, entry in TABLE.items() if name in named},
        **{name: OTHERS[at % len(OTHERS)] for at, name in enumerate(unknown)},
    }


def takes_p(policy: object) -> bool:
    """Whether p steers a policy; False for a name that is none, as of an older file."""
    return isinstance(policy, str) and policy in TABLE and TABLE[policy].takes_p


def decisions(
    policy: str, p: float, read_every: int, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Say which decisions are asked for; None where the policy takes none.

    :param changes: other settings of the stream.
    """
    entry, asked = TABLE['scheduler' if policy == AUTO else policy], dict(changes)
    if not entry.takes_p:
        asked.update(max_consecutive_forecasts=None, accumulate=None)
    if not entry.forecasts:
        asked.update(commit_on_forecast=None, blend=None)
    return {
        'policy': policy, 'p': p if entry.takes_p else None,
        'read_every': read_every if entry.takes_read_every else None, **asked,
    }
