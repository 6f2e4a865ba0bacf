"""Recipes of every kind, as they stand in YAML: settings by name, sections, a base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
import re
from typing import Any, TypeVar

import yaml

from ..settings import check_types
from ..shipped import find

T = TypeVar('T')


def settings(values: Any, where: str) -> Mapping[str, Any]:
    """:raises ValueError: for what is no set of settings."""
    if not isinstance(values, Mapping):
        raise ValueError(f'{where}: {values!r} is no set of settings, each with its value')
    return values


def section(kind: type[T], values: Any, where: str) -> T:
    """
    Build a configuration of plain settings.

    :raises ValueError: for unknown keys or values outside their range; names the section.
    """
    values = settings(values, where)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{where}: unknown settings {unknown}; known are {sorted(known)}')
    try:
        check_types(kind, values)
        return kind(**tuples(values))
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error


def tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Make tuples of lists, as frozen configurations have them."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def with_base(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """
    Read a recipe's settings; what it leaves out comes from the recipe named as ``base``.

    But not ``info``, unless both lie in one folder. An empty file is the defaults.
    """
    read = yaml.safe_load(path.read_text())
    values = dict(settings({} if read is None else read, 'recipe'))
    name = values.pop('base', None)
    if name is None:
        return values
    base = path.with_name(f'{name}.yaml')
    if base in (*seen, path) or not base.is_file():
        try:
            base = find('recipes', name)
        except FileNotFoundError as error:
            raise ValueError(f'base: there is no {base}, or it comes back; {error}') from error
    if base in (*seen, path):
        raise ValueError(f'base: {name!r} comes back to this recipe; name another')
    merged = with_base(base, (*seen, path))
    if base.parent != path.parent:
        # Whose recipe it is, is not whose data it trains on.
        merged.pop('info', None)
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if both else value
    # Its own name: two runs must not overwrite each other's weights.
    return {**merged, 'name': values.get('name', path.stem)}


def check_name(name: str) -> None:
    """:raises ValueError: for a name that no file should have."""
    if not re.fullmatch(r'\w[\w.-]*', name):
        raise ValueError(f'name: {name!r} is to name a file; use letters, digits, _, - and .')


def check_phases(phases: Sequence[str], known: Sequence[str]) -> None:
    """:raises ValueError: for no phase, for one that is not known, and for one named twice."""
    if set(phases) - set(known) or len(set(phases)) < max(1, len(phases)):
        raise ValueError(f'phases: {phases}; expected some of {known}, each once')
