"""What an executable of a node says of itself: ``ros2 run forecast_detector NODE --help``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
import json
from textwrap import fill
from typing import NamedTuple

from .parameter import describe, plain

WIDTH = 100


class Described(NamedTuple):
    """What a node does, and the configurations that describe its parameters, by module."""

    does: str
    configs: tuple[tuple[str, str], ...]


NODES: Mapping[str, Described] = {
    'detector_node': Described(
        'Detects objects in the images of one or several cameras; a managed node.',
        (('.node', 'NodeConfig'), ('.config', 'StreamConfig')),
    ),
    'camera_node': Described(
        'Plays the synthetic world, a video, a bag or a camera of the machine as images.',
        (('.graph.camera_node', 'CameraConfig'),),
    ),
    'player_node': Described(
        'Plays image topics of a bag as they were recorded, and records the answers.',
        (('.graph.player_node', 'PlayerConfig'),),
    ),
    'recorder_node': Described(
        'Records images, detections and decisions as a bag, a video and numbers.',
        (('.graph.recorder_node', 'RecorderConfig'),),
    ),
}


def is_asked_for(arguments: Sequence[str]) -> bool:
    """Say whether a command line asks for help; what is between ``--ros-args`` is for ROS."""
    own = list(arguments)
    if '--ros-args' in own:
        own = own[:own.index('--ros-args')]
    return bool({'-h', '--help'} & set(own))


def text(name: str) -> str:
    """
    Describe a node and its parameters.

    :param name: of its executable.
    """
    node = NODES[name]
    lines = [
        f'usage: ros2 run forecast_detector {name} --ros-args [-p NAME:=VALUE ...] '
        '[--params-file FILE] [-r FROM:=TO ...]', '', node.does, '', 'parameters:',
    ]
    for module, config in node.configs:
        for one in describe(getattr(import_module(module, __package__), config)).values():
            default = json.dumps(plain(one.default))
            lines.append(fill(
                f'{one.name} ({default}): {one.help}', WIDTH, initial_indent='  ',
                subsequent_indent='      ', break_long_words=False, break_on_hyphens=False,
            ))
    return '\n'.join([*lines, '', 'All of it: docs/node.md of the package.'])
