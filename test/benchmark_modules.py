"""Programs of benchmarks/, which are no package, as modules of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import importlib
from pathlib import Path
import sys
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / 'benchmarks'


@contextmanager
def imported(name: str, *beside: str) -> Iterator[Any]:
    """
    Import a program.

    :param beside: what it imports from its folder; all are forgotten afterwards.
    """
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))
        for one in (name, *beside):
            sys.modules.pop(one, None)
