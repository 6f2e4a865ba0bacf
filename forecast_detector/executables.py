"""
The executables: commands and nodes. These start where there is no ROS, too, to say so in one line.

``python -m forecast_detector.ros.detector_node`` starts like these.
"""

from __future__ import annotations

from importlib import import_module

from .ends import begin, done, leave, signalled
from .starts import start


def forecast_detector() -> int:
    """Run a command."""
    begin('forecast-detector')
    status = int(import_module('.cli.main', __package__).main())
    if signalled():  # whoever interrupts does not want to wait for the interpreter's end
        leave(status)
    return done(status)


def detector_node() -> int:
    """Run the detector node."""
    return start('ros', 'detector_node')


def camera_node() -> int:
    """Run the camera node."""
    return start('graph', 'camera_node')


def player_node() -> int:
    """Run the player node."""
    return start('graph', 'player_node')


def recorder_node() -> int:
    """Run the recorder node."""
    return start('graph', 'recorder_node')
