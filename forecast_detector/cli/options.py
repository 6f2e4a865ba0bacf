"""Options that are refused: values out of range, what does not go together, files in the way."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
import math
import os
from pathlib import Path
import re


class OptionError(ValueError):
    """Raised for options that ask for nothing or do not go together: exit status 2."""


def one_line(text: object) -> str:
    """Put a message on one line; parsers of YAML, say, need several for theirs."""
    return ' '.join(line.strip() for line in str(text).splitlines() if line.strip())


def number(least: float = -math.inf, most: float = math.inf) -> Callable[[str], float]:
    """Make a type of option: a finite number within bounds, both included."""
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and least <= value <= most:
            return value
        bounds = f' of at least {least:g}' if most == math.inf else f' in [{least:g}, {most:g}]'
        raise argparse.ArgumentTypeError(
            f'{text!r}: a number{"" if least == -math.inf else bounds} is expected')
    return parse


def above_zero(text: str) -> float:
    """Take a finite number above 0."""
    value = number(0.0)(text)
    if not value:
        raise argparse.ArgumentTypeError(f'{text!r}: a number above 0 is expected')
    return value


unit = number(0.0, 1.0)


def whole(least: int, multiple: int = 1, most: float = math.inf) -> Callable[[str], int]:
    """Make a type of option: a whole number within bounds, of some multiple."""
    def parse(text: str) -> int:
        if re.fullmatch(r'[+-]?\d{1,18}', text):
            value = int(text)
            if least <= value <= most and value % multiple == 0:
                return value
        kind = 'whole number' if multiple == 1 else f'multiple of {multiple}'
        bounds = f'of at least {least}' if most == math.inf else f'in [{least}, {most:.12g}]'
        raise argparse.ArgumentTypeError(f'{text!r}: a {kind} {bounds} is expected')
    return parse


def device(text: str) -> str:
    """Take the name of a device; whether there is such a one shows later."""
    if re.fullmatch(r'auto|cpu|cuda(:\d+)?', text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none of 'auto', 'cpu', 'cuda', 'cuda:N'")


def check_outputs(
    command: object, names: Iterable[str], sources: Iterable[str | Path | None] = ()
) -> None:
    """
    See that files can be written before hours are spent on what goes into them.

    :param names: of the options that name them; ``-`` is stdout for ``--json``.
    :param sources: files that are read, and must not be written over.
    :raises OptionError: for a folder, a folder that cannot be, or a file that is named twice.
    """
    seen = {Path(source).resolve(): str(source) for source in sources if source is not None}
    for name in names:
        text, option = getattr(command, name), '--' + name.replace('_', '-')
        if text is None or (name == 'json' and text == '-'):
            continue
        path = Path(text)
        if not str(text) or path.is_dir():
            raise OptionError(f'{option}: {str(text)!r} is no file name; name a file to write')
        check_folder(option, path.absolute().parent)
        if path.resolve() in seen:
            raise OptionError(f'{option}: {path} would be written over {seen[path.resolve()]}, '
                              'which is needed; choose another name')
        seen[path.resolve()] = option


def check_folder(option: str, folder: Path) -> None:
    """
    See that a folder is there and may be written to, or can be made.

    :raises OptionError: if not.
    """
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(p))
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise OptionError(f'{option}: {folder} cannot be written to: {there} is no folder that '
                          'may be written to; choose another place')


def check_plot(path: str | None, option: str = '--plot') -> None:
    """
    See that a picture can be drawn, before there is something to draw.

    :raises OptionError: for a suffix that is no kind of picture.
    :raises RuntimeError: if matplotlib is not installed.
    """
    if path is None:
        return
    from ..report.plots import new_figure

    kinds = sorted(new_figure(1, 1).canvas.get_supported_filetypes())
    if Path(path).suffix.lower().lstrip('.') not in kinds:
        raise OptionError(f'{option}: {path}: the suffix says the kind of picture; expected one '
                          f'of {", ".join(kinds)}')
