"""Launch files run without ROS: with stand-ins for the parts of launch that they use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import runpy
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / 'launch'
Names = dict[str, Any]


class Given:
    """Stands in for launch's LaunchConfiguration: the context is a dict."""

    def __init__(self, name: str) -> None:
        self.name = name

    def perform(self, context: dict[str, str]) -> str:
        return context[self.name]


def kept(*values: Any, **named: Any) -> SimpleNamespace:
    """Keep what an action is made of."""
    return SimpleNamespace(values=values, **named)


def argument(name: str, default_value: str = '', **named: Any) -> SimpleNamespace:
    """Keep what an argument is made of."""
    return SimpleNamespace(name=name, default_value=default_value, **named)


def run_launch_file(
    monkeypatch: pytest.MonkeyPatch, name: str, look_up: Callable[[str], str] = str
) -> Names:
    """
    Give what a launch file defines.

    :param look_up: finds a package by its name; by default all are installed.
    """
    stubs: dict[str, Names] = {
        'ament_index_python': {},
        'ament_index_python.packages': {'get_package_prefix': look_up},
        'launch': {'LaunchContext': dict, 'LaunchDescription': list},
        'launch.actions': {
            'DeclareLaunchArgument': argument, 'OpaqueFunction': lambda function: function,
            'ExecuteProcess': kept, 'IncludeLaunchDescription': kept,
            'SetEnvironmentVariable': kept,
        },
        'launch.events': {},
        'launch.events.process': {'ProcessExited': SimpleNamespace},
        'launch.substitutions': {'LaunchConfiguration': Given},
        'launch_ros': {},
        'launch_ros.actions': {'Node': kept},
    }
    for module, members in stubs.items():
        stub = ModuleType(module)
        vars(stub).update(members)
        monkeypatch.setitem(sys.modules, module, stub)
    return runpy.run_path(str(FOLDER / f'{name}.launch.py'))


def started(names: Names, **given: str) -> list[Any]:
    """Give what a launch file starts when these arguments are given."""
    context = {one.name: one.default_value for one in names['ARGUMENTS']} | given
    actions: list[Any] = names['start'](context)
    return actions
