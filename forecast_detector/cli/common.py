"""What the commands share: options, JSON output, progress."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
import json
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar('T')


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        '--device', default='auto', help="'auto', 'cpu', 'cuda' or 'cuda:N'; default: %(default)s"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument(
        '--json', metavar='FILE', help="write the figures as JSON; '-' is stdout, and nothing else"
    )


def write_json(path: str, values: Any) -> None:
    """Write JSON to a file, or to stdout for ``-``. NaN is not JSON and raises ValueError."""
    text = json.dumps(values, indent=2, allow_nan=False)
    if path == '-':
        print(text)
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text + '\n', encoding='utf-8')


def progress(iterable: Iterable[T], total: int | None = None, desc: str = '') -> Iterator[T]:
    """Show progress on stderr."""
    return iter(tqdm(iterable, total=total, desc=desc, unit='frame', dynamic_ncols=True))
