"""Processes beside a measurement: they end with their standard input, and print a number then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess
import sys


class Beside:
    """
    A process of this folder.

    :ivar number: what it has printed; None while it runs.
    """

    def __init__(self, program: str, *arguments: str) -> None:
        """Start it."""
        command = [sys.executable, str(Path(__file__).with_name(program)), *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.number: int | None = None

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        return resident_mb(self._process.pid)

    def end(self) -> None:
        """Let it end, and read what it has printed."""
        said, _ = self._process.communicate(timeout=60)
        self.number = int(said)


@contextmanager
def beside(program: str, *arguments: str) -> Iterator[Beside]:
    """Run a program of this folder for as long as something else is done."""
    process = Beside(program, *arguments)
    try:
        yield process
    finally:
        process.end()


def resident_mb(pid: int) -> float:
    """Read the memory that a process has now."""
    return round(int(Path(f'/proc/{pid}/statm').read_text().split()[1]) * 4096 / 1e6, 1)
