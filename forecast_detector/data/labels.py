"""Class names of a data set against the class names of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def label_indices(
    names: Sequence[str], labels: Sequence[str] | None, source: str | Path
) -> tuple[tuple[str, ...], dict[str, int]]:
    """
    Number a data set's class names.

    :param names: the names that the data set uses.
    :param labels: the list to number by (the weights'); None numbers ``names`` as they come.
    :param source: what to name in the error.
    :returns: the list in force, and each name's index in it.
    :raises ValueError: if a name is there twice, or is foreign to ``labels``.
    """
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f'{source}: class names {twice} are there twice; rename one of each')
    in_force = tuple(names if labels is None else labels)
    foreign = [name for name in names if name not in in_force]
    if foreign:
        shown = ', '.join(map(repr, in_force[:10])) + (', …' if len(in_force) > 10 else '')
        raise ValueError(
            f'{source}: the classes {foreign} are foreign to the weights or the other data, which '
            f'know {shown}; use weights trained for them, or rename or remove these classes'
        )
    return in_force, {name: in_force.index(name) for name in names}
