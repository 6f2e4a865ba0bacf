"""Ways to decide which frames are read, by name, and what answers the others."""

from __future__ import annotations

from ..streaming import StreamingDetector
from ..types import Policy
from .baselines import BoxBaseline, HoldBoxes
from .detector import DetectorRunner, evaluation_config
from .kalman import KalmanBoxes
from .run import Runner
from .taps import NetworkTap

STREAMING = tuple(policy.value for policy in Policy)
BOXES = {'hold': HoldBoxes, 'kalman': KalmanBoxes}
POLICIES = (*STREAMING, 'copy', *BOXES)


def make_runner(
    policy: str, detector: StreamingDetector, p: float = 1.0, read_every: int = 2,
    max_consecutive_forecasts: int = 0, anticipates: bool = False,
) -> Runner:
    """
    Build what answers the frames under a policy.

    :param p: threshold of policy ``scheduler``.
    :param read_every: every so many frames are read, for all but ``scheduler`` and ``read``.
    :raises ValueError: for an unknown policy or a value outside its range.
    """
    if policy in STREAMING:
        return DetectorRunner(detector, evaluation_config(
            Policy(policy), p, read_every, max_consecutive_forecasts
        ), anticipates)
    if policy in BOXES:
        reader = DetectorRunner(detector, evaluation_config(Policy.READ))
        return BoxBaseline(reader, BOXES[policy](), read_every)
    if policy == 'copy':
        NetworkTap(detector).copy = True
        return DetectorRunner(
            detector, evaluation_config(Policy.ALTERNATE, read_every=read_every)
        )
    raise ValueError(f'policy {policy!r} is unknown; known are {POLICIES}')
