"""Each executable of a node describes itself, and ends."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from forecast_detector.node_help import is_asked_for, NODES  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(('arguments', 'expected'), [
    (['--help'], True), (['-h', '--ros-args', '-p', 'a:=1'], True), ([], False),
    (['--ros-args', '-r', '--help'], False), (['--helpful'], False),
])
def test_help_is_asked_for_outside_of_what_is_for_ros(
    arguments: list[str], expected: bool
) -> None:
    assert is_asked_for(arguments) == expected


def test_every_executable_of_a_node_has_help() -> None:
    setup = ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    scripts = setup['options.entry_points']['console_scripts'].split('\n')
    assert {s.partition(' ')[0] for s in scripts if '_node' in s} == set(NODES)


@pytest.mark.parametrize(('name', 'parameters'), [
    ('detector_node', ['weights ("coco")', 'p (0.8)', 'max_pixels']),
    ('camera_node', ['source ("synthetic")', 'image_topic']),
    ('player_node', ['bag ', 'rate']),
    ('recorder_node', ['image_topic']),
])
def test_a_node_prints_its_help_and_ends(name: str, parameters: list[str]) -> None:
    program = f'from forecast_detector import executables as e; raise SystemExit(e.{name}())'
    done = subprocess.run(
        [sys.executable, '-c', program, '--help'], capture_output=True, text=True, timeout=100,
        cwd=ROOT)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith(f'usage: ros2 run forecast_detector {name} ')
    assert NODES[name].does in done.stdout and 'docs/node.md' in done.stdout
    for parameter in parameters:
        assert f'\n  {parameter}' in done.stdout
