"""Settings read from files are checked against the types of the dataclass that they fill."""

from __future__ import annotations

from collections.abc import Mapping
import math
from typing import Any, get_args, get_origin, get_type_hints

PLAIN = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}


def check_types(kind: type, values: Mapping[str, Any]) -> None:
    """
    Check values for the fields of a dataclass: numbers, switches, texts and lists of them.

    Everything else (choices, nested settings) is checked where it is made.

    :raises ValueError: for a value of another type; names the setting and the type.
    """
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name in hints:
            _check(name, hints[name], value)


def _check(name: str, kind: Any, value: Any) -> None:
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        repeated = inner[-1] is Ellipsis
        if not isinstance(value, (list, tuple)):
            raise ValueError(f'{name}: {value!r} is no list')
        if not repeated and len(value) != len(inner):
            raise ValueError(f'{name}: {value!r}; expected {len(inner)} values')
        for at, part in enumerate(value):
            _check(name, inner[0] if repeated else inner[at], part)
    elif kind in PLAIN:
        _check_plain(name, kind, value)


def _check_plain(name: str, kind: type, value: Any) -> None:
    # Python counts True as an int.
    if isinstance(value, PLAIN[kind]) and isinstance(value, bool) == (kind is bool):
        if kind is float and not math.isfinite(value):
            raise ValueError(f'{name}: {value} is not finite')
        return
    if isinstance(value, str) and kind in (int, float):
        remedy = 'text; YAML wants a point in a number such as 1.0e-3'
    else:
        remedy = f'not of type {kind.__name__}'
    raise ValueError(f'{name}: {value!r} is {remedy}')
