"""
The detector node as a program: ``python -m forecast_detector.ros.detector_node``.

What takes time to load is loaded once signals end it.
"""

from __future__ import annotations

from collections.abc import Sequence
import sys

from ..starts import start

# A step in progress ends before that; what is left then has nothing to lose.
PATIENCE_S = 3.0


def main(args: Sequence[str] | None = None) -> int:
    """Run the detector node."""
    from ..memory import keep_freed_memory
    from .detector import DetectorNode
    from .spin import spin

    keep_freed_memory(huge=False)
    return spin(DetectorNode, args, lasts=True, patience_s=PATIENCE_S)


if __name__ == '__main__':
    sys.exit(start('ros', 'detector_node'))
