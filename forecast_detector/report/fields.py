"""Reading JSON that somebody else may have written: each mistake is named with its place."""

from __future__ import annotations

from collections.abc import Iterator
import math
from typing import Any


class ReportError(ValueError):
    """Raised when a JSON file is broken or is not what a report is built from."""


class Fields:
    """
    One object of a JSON file, read key by key.

    Every method raises :class:`ReportError` for a value of another kind.

    :ivar place: the file and the way to the object, for messages.
    """

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(place, value, 'an object')
        self._values, self.place = value, place

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def _get(self, key: str) -> tuple[Any, str]:
        return self._values.get(key), f'{self.place}.{key}'

    def number(self, key: str) -> float:
        """Read a finite number."""
        value, place = self._get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _wrong(place, value, 'a number')
        if not math.isfinite(value):
            raise _wrong(place, value, 'a finite number')
        return float(value)

    def maybe_number(self, key: str) -> float | None:
        """Read a number, None where it is null or missing."""
        return self.number(key) if key in self else None

    def count(self, key: str) -> int:
        """Read a whole number, 0 or more."""
        value = self.number(key)
        if value < 0 or value != int(value):
            raise _wrong(f'{self.place}.{key}', value, 'a whole number, 0 or more')
        return int(value)

    def text(self, key: str) -> str:
        """Read a string."""
        value, place = self._get(key)
        if not isinstance(value, str):
            raise _wrong(place, value, 'a string')
        return value

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        """Read one of a few words."""
        value, place = self._get(key)
        if value not in known:
            raise _wrong(place, value, 'one of ' + ', '.join(known))
        return str(value)

    def fields(self, key: str) -> Fields:
        """Read an object."""
        return Fields(*self._get(key))

    def objects(self, key: str) -> Iterator[Fields]:
        """Read a list of objects."""
        for index, value in enumerate(self._list(key)):
            yield Fields(value, f'{self.place}.{key}[{index}]')

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """Read a list of numbers, ``count`` of them."""
        values = self._list(key)
        if count is not None and len(values) != count:
            raise _wrong(f'{self.place}.{key}', values, f'{count} numbers')
        indexed = Fields({str(i): v for i, v in enumerate(values)}, f'{self.place}.{key}')
        return [indexed.number(str(i)) for i in range(len(values))]

    def words(self, key: str, known: tuple[str, ...], count: int) -> list[str]:
        """Read a list of ``count`` of a few words."""
        values = self._list(key)
        if len(values) != count:
            raise _wrong(f'{self.place}.{key}', values, f'{count} words')
        indexed = Fields({str(i): v for i, v in enumerate(values)}, f'{self.place}.{key}')
        return [indexed.one_of(str(i), known) for i in range(count)]

    def _list(self, key: str) -> list[Any]:
        value, place = self._get(key)
        if not isinstance(value, list):
            raise _wrong(place, value, 'a list')
        return value

    def items(self) -> Iterator[tuple[str, Any]]:
        """Give the keys and bare values, in the order of the file."""
        yield from self._values.items()


def _wrong(place: str, value: Any, expected: str) -> ReportError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + '…'
    return ReportError(f'{place}: got {shown}, expected {expected}')
