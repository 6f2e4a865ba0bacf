"""Settings of recipes are checked once, by name, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def check_ranges(
    recipe: object, least: Mapping[str, int], shares: Sequence[str] = ()
) -> None:
    """
    Check settings of a recipe.

    :param least: setting to its smallest value.
    :param shares: settings within [0, 1].
    :raises ValueError: for a value outside its range; names the setting.
    """
    for name, low in least.items():
        if getattr(recipe, name) < low:
            raise ValueError(f'{name}: {getattr(recipe, name)} is below {low}')
    for name in shares:
        if not 0 <= getattr(recipe, name) <= 1:
            raise ValueError(f'{name}: {getattr(recipe, name)} is outside [0, 1]')
