"""What is kept of freed memory, in processes of their own: the C library has one setting."""

from pathlib import Path
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc', reason='other C libraries have no such setting')

PROGRAM = """
import ctypes, sys
from pathlib import Path
from forecast_detector.memory import keep_freed_memory

def resident_mb():
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6

def use(megabytes):
    ctypes.memset(place := malloc(megabytes << 20), 1, megabytes << 20)
    free(place)

malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
free.restype, free.argtypes = None, [ctypes.c_void_p]
keep_freed_memory(huge=sys.argv[1] == 'huge')
before = resident_mb()
use(int(sys.argv[2]))
print(resident_mb() - before)
"""


def kept_mb(huge: bool, megabytes: int) -> float:
    """Take and free memory in a new process; give how much of it that still has."""
    command = [sys.executable, '-c', PROGRAM, 'huge' if huge else '', str(megabytes)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True,
                                cwd=Path(__file__).parents[1]).stdout)


@pytest.mark.parametrize('huge', [True, False])
def test_what_a_step_takes_is_kept(huge):
    assert kept_mb(huge, 20) > 15


def test_what_a_huge_picture_took_is_given_back_unless_that_is_to_be_kept():
    assert kept_mb(True, 200) > 150
    assert kept_mb(False, 200) < 10
