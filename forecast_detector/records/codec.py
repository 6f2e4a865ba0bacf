"""Records to plain values of JSON and back, by their type hints: mistakes are named by place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields, is_dataclass, MISSING
from functools import cache
import math
from typing import Annotated, Any, get_args, get_origin, get_type_hints, Literal, TypeVar

T = TypeVar('T')
# A whole number, 0 or more.
Count = Annotated[int, 0]
KINDS = {str: 'a string', bool: 'true or false', list: 'a list', dict: 'an object'}


class RecordError(ValueError):
    """Raised for a file that is broken, or is not what a measurement wrote."""


def left_out() -> Any:
    """Describe a field that is None by default; its key is not written then."""
    return field(default=None, metadata={'left_out': True})


def _key(one: Field[Any]) -> str:
    """Give the key of a field; its metadata have one where it is a word of Python's."""
    key: str = one.metadata.get('key', one.name)
    return key


def to_plain(value: Any) -> Any:
    """Turn a record, or anything that holds some, into what JSON has."""
    if is_dataclass(value):
        items = ((f, getattr(value, f.name)) for f in fields(value))
        return {_key(f): to_plain(v) for f, v in items
                if v is not None or not f.metadata.get('left_out')}
    if isinstance(value, Mapping):
        return {key: to_plain(v) for key, v in value.items()}
    return [to_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def from_plain(kind: type[T], value: Any, place: str) -> T:
    """
    Make a record; keys that it does not know are passed over, null is as good as none.

    :param place: file and way to the value, for messages.
    :raises RecordError: for what does not fit the type hints, or the record itself.
    """
    _expect(dict, value, place)
    given = {}
    for one, hint in _hints(kind):  # type: ignore[arg-type]  # a class is hashable
        inner = value.get(_key(one))
        if inner is not None or _is_required(one):
            given[one.name] = _value(hint, inner, f'{place}.{_key(one)}')
    try:
        return kind(**given)
    except ValueError as error:  # begins with the name of the field
        raise RecordError(f'{place}.{error}') from error


@cache
def _hints(kind: type) -> list[tuple[Field[Any], Any]]:
    hints = get_type_hints(kind, include_extras=True)
    return [(one, hints[one.name]) for one in fields(kind)]  # type: ignore[arg-type]


def _is_required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if type(None) in inner:
        return None if value is None else _value(inner[0], value, place)
    if origin is Literal:
        if value not in inner:
            raise wrong(place, value, 'one of ' + ', '.join(inner))
        return value
    if origin in (list, tuple):
        _expect(list, value, place)
        if origin is tuple and len(value) != len(inner):
            raise wrong(place, value, f'{len(inner)} values')
        hints = inner if origin is tuple else inner * len(value)
        return origin(_value(h, v, f'{place}[{k}]') for k, (h, v) in enumerate(zip(hints, value)))
    if origin is dict:
        _expect(dict, value, place)
        return {key: _value(inner[1], v, f'{place}.{key}') for key, v in value.items()
                if v is not None or inner[1] is Any}
    if is_dataclass(hint):
        return from_plain(hint, value, place)  # type: ignore[arg-type]
    return _number(hint, value, place) if hint in (int, float, Count) else _expect(
        hint, value, place)


def _number(hint: Any, value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong(place, value, 'a number')
    if not math.isfinite(value):
        raise wrong(place, value, 'a finite number')
    if hint is float:
        return value
    least = 0 if hint is Count else -math.inf
    if value < least or value != int(value):
        raise wrong(place, value, 'a whole number' + (', 0 or more' if hint is Count else ''))
    return int(value)


def _expect(kind: type, value: Any, place: str) -> Any:
    if not isinstance(value, kind):
        raise wrong(place, value, KINDS[kind])
    return value


def wrong(place: str, value: Any, expected: str) -> RecordError:
    """Say what is wrong at a place."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + '…'
    return RecordError(f'{place}: got {shown}, expected {expected}')
