"""How executables end: statuses and single lines."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')

PROGRAM = """
import sys
from rclpy.node import Node
from forecast_detector.ros.spin import Done, ending_on_errors, Failed, spin

class Lone(Node):
    def __init__(self):
        super().__init__('lone')
        {start}
        self.create_timer(0.01, self.work)
    def work(self):
        {work}
    def close(self):
        {close}
    def destroy_node(self):
        print('destroyed')
        super().destroy_node()

sys.exit(spin(Lone))
"""


def end_of(
    start: str = 'pass', work: str = 'raise Done', close: str = 'pass', **environment: str
) -> tuple:
    """Run a node; return its status, what it said, and whether it was destroyed."""
    program = PROGRAM.format(start=start, work=work, close=close)
    command = [sys.executable, '-c', program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT,
                          env={**os.environ, **environment})
    return done.returncode, done.stderr.splitlines(), 'destroyed' in done.stdout


ROOT = Path(__file__).parents[2]


def test_done_is_a_good_end() -> None:
    assert end_of() == (0, [], True)


@pytest.mark.parametrize(
    ('where', 'code', 'destroyed'),
    [
        ('start', "raise ValueError('no such thing')", False),
        ('work', "raise Failed('no such thing')", True),
        ('close', "raise OSError('no such thing')", True),
    ],
)
def test_what_a_user_can_mend_is_one_line(where: str, code: str, destroyed: bool) -> None:
    status, said, was_destroyed = end_of(**{where: code})
    assert (status, was_destroyed) == (1, destroyed)
    line, = said
    assert 'no such thing' in line


def test_a_fault_in_a_callback_keeps_its_traceback() -> None:
    status, said, destroyed = end_of(work="raise ValueError('a fault')")
    assert status == 1 and destroyed
    assert any('Traceback' in line for line in said) and 'work' in ''.join(said)


def test_files_that_fail_in_a_callback_end_the_node_in_one_line() -> None:
    status, said, destroyed = end_of(work="ending_on_errors()(open)('/nowhere/at/all')")
    assert status == 1 and destroyed
    line, = said
    assert '/nowhere/at/all' in line


def test_a_graph_that_lets_nobody_in_is_one_line(tmp_path: Path) -> None:
    """Not without keys: where the middleware has no security, it says so; else they are missed."""
    (tmp_path / 'enclaves').mkdir()
    status, said, destroyed = end_of(
        ROS_SECURITY_ENABLE='true', ROS_SECURITY_STRATEGY='Enforce',
        ROS_SECURITY_KEYSTORE=str(tmp_path))
    assert (status, destroyed) == (1, False)
    line, = said
    assert 'security' in line.lower() and '/src/' not in line
