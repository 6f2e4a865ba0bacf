"""
The executables: commands and nodes. These start where there is no ROS, too, to say so in one line.

``python -m forecast_detector.ros.detector_node`` and so on are the nodes themselves.
"""

from __future__ import annotations

from importlib import import_module
import sys

from .ends import begin, done, leave


def forecast_detector() -> int:
    """Run a command."""
    begin('forecast-detector')
    return done(int(import_module('.cli.main', __package__).main()))


def _start(room: str, name: str) -> int:
    begin(name)
    try:
        import_module('.node', __package__).require_ros()
    except RuntimeError as error:
        print(f'{name}: error: {error}', file=sys.stderr)
        return 1
    leave(int(import_module(f'.{room}.{name}', __package__).main()))


def detector_node() -> int:
    """Run the detector node."""
    return _start('ros', 'detector_node')


def camera_node() -> int:
    """Run the camera node."""
    return _start('graph', 'camera_node')


def player_node() -> int:
    """Run the player node."""
    return _start('graph', 'player_node')


def recorder_node() -> int:
    """Run the recorder node."""
    return _start('graph', 'recorder_node')
