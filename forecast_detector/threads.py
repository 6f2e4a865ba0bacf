"""How many threads a process computes with, and that they wait without spinning."""

from __future__ import annotations

from collections.abc import Callable
import os
import sys

# OpenMP's threads spin while they wait for each other. Where another process has one of the cores,
# that is for the thread which has none: a step of PyTorch takes 10 to 40 times as long.
POLICY, PASSIVE = 'OMP_WAIT_POLICY', 'PASSIVE'
# Whoever sets one of these has chosen.
CHOSEN = (POLICY, 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')


def wait_passively() -> bool:
    """
    Let the threads of PyTorch sleep while they wait, unless the environment says otherwise.

    OpenMP reads this once, when it is loaded, so that it has to be called before PyTorch is.

    :returns: whether that is what they will do.
    """
    if 'torch' in sys.modules or any(name in os.environ for name in CHOSEN):
        return os.environ.get(POLICY, '').upper() == PASSIVE
    os.environ[POLICY] = PASSIVE
    return True


def cores() -> int | None:
    """Count the cores that this process may use; None where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else None


def bounded(name: str, wanted: int, say: Callable[[str], None]) -> int:
    """
    Take no more threads than there are cores.

    :param name: of the setting; ``say``: is told if it asks for more.
    """
    most = cores()
    if most is None or wanted <= most:
        return wanted
    say(f'{name}: {wanted} is more than the {most} cores that this process has; '
        f'{most} threads are used')
    return most


def use_threads(count: int) -> None:
    """
    Bound the threads of PyTorch, which runs the network, and of OpenCV, which reads the images.

    :param count: of each, at least 1.
    """
    # Here, as PyTorch must not be loaded before wait_passively() is called.
    import cv2
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)
