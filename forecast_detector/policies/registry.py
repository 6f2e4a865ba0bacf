"""Ways to decide which frames are read, by name, and what answers the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..engine import StreamingDetector
from ..engine.recurrence import CopiedForecast
from ..types import Policy
from .boxes import BoxBaseline, Carrier
from .detector import DetectorRunner, evaluation_config
from .step import Runner
from .table import CARRIERS, POLICIES, TABLE

# What the engine does by itself.
LIVE = {policy.value for policy in Policy}


def carry_boxes(
    policy: str, reader: Runner, read_every: int = 1, anticipates: bool = False
) -> Runner:
    """
    Build what carries the boxes of a reader from READ to READ.

    :param policy: one with a carrier; where it takes p, the reader decides what is read.
    """
    entry = TABLE[policy]
    module, _, kind = entry.carrier.partition('.')
    carrier: Carrier = getattr(import_module(f'.{module}', __package__), kind)()
    return BoxBaseline(reader, carrier, None if entry.takes_p else read_every, anticipates)


def check_forecasts(policy: str, detector: StreamingDetector) -> None:
    """:raises ValueError: for a policy that forecasts, with weights that make no forecasts."""
    entry = TABLE.get(policy)
    # Where p decides, every frame is read.
    if (entry and entry.forecasts and not entry.takes_p) and not detector.network.forecasts:
        raise ValueError(
            f"policy {policy!r}: these weights make no forecasts (combination 'recurrent', the "
            f"paper's baseline); use read, {', '.join(CARRIERS)}"
        )


def make_runner(
    policy: str, detector: StreamingDetector, p: float = 1.0, read_every: int = 2,
    anticipates: bool = False, **changes: Any,
) -> Runner:
    """
    Build what answers the frames under a policy.

    :param p: threshold of policies that the scheduler decides.
    :param read_every: every so many frames are read, for all but these and ``read``.
    :param anticipates: whether each step also answers for the frame after, see :class:`Step`.
    :param changes: other settings of the stream, where the network forecasts.
    :raises ValueError: for an unknown policy, a value outside its range, or a policy of forecasts
        for weights that make none.
    """
    check_forecasts(policy, detector)
    entry = TABLE.get(policy)
    if entry is None or policy == 'oracle':
        known = [name for name in POLICIES if name != 'oracle']
        raise ValueError(f'policy {policy!r} is none that runs frame by frame; these do: {known}')
    if entry.carrier and policy not in LIVE:
        decides = (
            evaluation_config(Policy.SCHEDULER, p, **changes) if entry.takes_p
            else evaluation_config(Policy.READ, **changes)
        )
        return carry_boxes(policy, DetectorRunner(detector, decides), read_every, anticipates)
    if policy == 'copy':
        detector, policy = detector.variant(forecaster=CopiedForecast()), 'alternate'
    config = evaluation_config(Policy(policy), p, read_every, **changes)
    return DetectorRunner(detector, config, anticipates)
