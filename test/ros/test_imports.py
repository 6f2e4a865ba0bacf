"""What a robot loads: the detector node, and nothing that is for demos, replays or training."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

PROGRAM = """
import importlib, json, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
print(json.dumps(sorted(name for name in sys.modules if name.startswith('forecast_detector.'))))
"""
ELSEWHERE = {
    'bags', 'cli', 'data', 'demo', 'diagnosis', 'evaluation', 'graph', 'policies',
    'replay', 'report', 'scoring', 'training',
}


def rooms(*modules: str) -> set[str]:
    """Import modules in a new process; give the parts of the package that came along."""
    done = subprocess.run([sys.executable, '-c', PROGRAM, *modules], capture_output=True,
                          text=True, check=True)
    return {name.split('.')[1] for name in json.loads(done.stdout.splitlines()[-1])}


def test_the_detector_node_takes_along_what_a_robot_needs() -> None:
    loaded = rooms('forecast_detector.ros.detector', 'forecast_detector.executables')
    assert not loaded & ELSEWHERE
    assert {'ros', 'engine', 'model'} <= loaded


@pytest.mark.parametrize('node', ['camera', 'player', 'recorder'])
def test_nodes_around_it_are_found_by_the_same_means(node: str) -> None:
    loaded = rooms(f'forecast_detector.graph.{node}_node')
    assert {'graph', 'ros', 'bags'} <= loaded & (ELSEWHERE | {'ros'})
