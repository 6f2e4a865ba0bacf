"""Threads of PyTorch wait without spinning, in commands, nodes and programs that import us."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')


def run(program, **environment):
    """Run a program; give what it prints."""
    clean = {k: v for k, v in os.environ.items() if k not in NAMES}
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                          timeout=200, cwd=ROOT, env={**clean, **environment}, check=True)
    return done.stdout.split()


SHOW = f'import os; print(*[n + "=" + os.environ[n] for n in {NAMES} if n in os.environ])'


@pytest.mark.parametrize('name', [
    'forecast_detector', 'forecast_detector.cli.main', 'forecast_detector.executables',
    'forecast_detector.ros.worker', 'forecast_detector.types',
])
def test_it_is_set_before_pytorch_is_loaded(name):
    program = f"""
import sys
class Watch:
    def find_spec(self, found, *_):
        if found == 'torch':
            {SHOW}
            raise SystemExit
sys.meta_path.insert(0, Watch())
from importlib import import_module
try:
    import_module({name!r})
except ImportError:  # without ROS
    pass
import torch
"""
    assert run(program) == ['OMP_WAIT_POLICY=PASSIVE']


@pytest.mark.parametrize('name', NAMES)
def test_what_the_user_chose_stays(name):
    assert run(f'import forecast_detector; {SHOW}', **{name: '7'}) == [f'{name}=7']


def test_a_program_that_loaded_pytorch_keeps_its_settings():
    assert run(f'import torch, forecast_detector; {SHOW}') == []
