"""Ways to decide which frames are read, by name, and what answers the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..engine import StreamingDetector
from ..engine.recurrence import CopiedForecast
from ..types import Policy
from .boxes import BoxBaseline, Carrier, ScheduledBoxes
from .detector import DetectorRunner, evaluation_config
from .kalman import KalmanBoxes
from .names import CARRIERS, POLICIES, SCHEDULED_KALMAN
from .step import Runner

STREAMING = tuple(policy.value for policy in Policy)


def make_carrier(name: str) -> Carrier:
    """Make what carries boxes from READ to READ, by its name in :data:`~.names.CARRIERS`."""
    module, kind = CARRIERS[name]
    carrier: Carrier = getattr(import_module(f'.{module}', __package__), kind)()
    return carrier


def check_forecasts(policy: str, detector: StreamingDetector) -> None:
    """:raises ValueError: for a policy that forecasts, with weights that make no forecasts."""
    if policy in ('alternate', 'copy') and not detector.network.forecasts:
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

    :param p: threshold of policies ``scheduler`` and ``scheduled_kalman``.
    :param read_every: every so many frames are read, for all but these and ``read``.
    :param anticipates: whether each step also answers for the frame after, see :class:`Step`.
    :param changes: other settings of the stream, where the network forecasts.
    :raises ValueError: for an unknown policy, a value outside its range, or a policy of forecasts
        for weights that make none.
    """
    check_forecasts(policy, detector)
    if policy in STREAMING:
        return DetectorRunner(detector, evaluation_config(
            Policy(policy), p, read_every, **changes
        ), anticipates)
    if policy in CARRIERS:
        reader = DetectorRunner(detector, evaluation_config(Policy.READ))
        return BoxBaseline(reader, make_carrier(policy), read_every, anticipates)
    if policy == SCHEDULED_KALMAN:
        return ScheduledBoxes(DetectorRunner(detector, evaluation_config(
            Policy.SCHEDULER, p, **changes
        )), KalmanBoxes(), anticipates)
    if policy == 'copy':
        return DetectorRunner(
            detector.variant(forecaster=CopiedForecast()),
            evaluation_config(Policy.ALTERNATE, read_every=read_every, **changes),
            anticipates,
        )
    known = [name for name in POLICIES if name != 'oracle']
    raise ValueError(f'policy {policy!r} is none that runs frame by frame; these do: {known}')
