"""
A parameter is described once: at the field of the configuration that holds it.

Checks, ROS descriptors, options of commands, the parameter file and the table of the docs follow.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cache
import math
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

from .legible import legible

T = TypeVar('T')
Fixed = Literal['start', 'configure']
KINDS = {bool: 'a switch (true or false)', int: 'a whole number', float: 'a number', str: 'a text'}
MANY = {bool: 'switches', int: 'whole numbers', float: 'numbers', str: 'texts'}
EFFECTIVE = {
    None: 'at the next frame', 'configure': 'when the node is configured', 'start': 'at start',
}
SWITCH = {'true': True, 'false': False}


def plain(value: Any) -> Any:
    """Turn a value into one that YAML, JSON and ROS have."""
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, (tuple, array)) else value


@dataclass(frozen=True)
class Parameter:
    """
    One field of a configuration.

    :ivar default: as the field has it. Its type is the parameter's.
    :ivar help: what it does, in a sentence or two.
    :ivar least: lower bound, included; None is no bound. So is ``most``.
    :ivar choices: all values that it may have, as :func:`plain` gives them; empty is any.
    :ivar fixed: from when on it does not change: ``start`` of the node, or while it is
        ``configure``-d. None: a change takes effect at the next frame.
    :ivar example: a value, as the field has it, where the default is none that teaches.
    """

    name: str
    default: Any
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[Any, ...] = ()
    fixed: Fixed | None = None
    example: Any = None

    @property
    def is_list(self) -> bool:
        """Whether it has several values."""
        return isinstance(self.default, tuple)

    @property
    def kind(self) -> type:
        """Type of its value, or of each value of a list: bool, int, float or str."""
        return type(plain(self.default[0] if self.is_list else self.default))

    @property
    def range(self) -> str:
        """What its values are bound to; '' for nothing."""
        if self.choices:
            return 'one of ' + ', '.join(str(choice) or "''" for choice in self.choices)
        if self.least is not None and self.most is not None:
            return f'in [{self.least:.12g}, {self.most:.12g}]'
        return '' if self.least is None else f'of at least {self.least:.12g}'

    @property
    def expected(self) -> str:
        """What a value has to be."""
        return self.range if self.choices else f'{self.type_name} {self.range}'.strip()

    @property
    def type_name(self) -> str:
        """What its values are, with an article."""
        return f'a list of {MANY[self.kind]}' if self.is_list else KINDS[self.kind]

    @property
    def effective(self) -> str:
        """When a value takes effect, in the detector node."""
        return EFFECTIVE[self.fixed]

    def allows(self, value: Any) -> bool:
        """Say whether a value of the right type is a choice, or within bounds."""
        if self.choices:
            return value in self.choices
        if self.least is None and self.most is None:
            return True
        if not isinstance(value, Integral if self.kind is int else Real):
            return False
        least = -math.inf if self.least is None else self.least
        number = int(value) if isinstance(value, Integral) else float(value)
        return least <= number <= (math.inf if self.most is None else self.most)

    def check(self, value: Any) -> None:
        """:raises ValueError: for a value that is not allowed; names the parameter."""
        if not self.allows(value):
            raise ValueError(f'{self.name}: {legible(repr(plain(value)))} is not {self.expected}')

    def typed(self, value: Any) -> Any:
        """
        Turn a plain value into what the field holds.

        :raises ValueError: for one that is not allowed; names the parameter.
        """
        self.check(value)
        return type(self.default)(value)

    def parse(self, text: str) -> Any:
        """
        Read a value as it is typed in a command; those of a list are separated by commas.

        :returns: what the field holds.
        :raises ValueError: says what was expected, not for which parameter.
        """
        try:
            parts = [part.strip() for part in text.split(',')] if self.is_list else [text]
            values = [SWITCH[part] if self.kind is bool else self.kind(part) for part in parts]
            finite = self.kind is not float or all(math.isfinite(value) for value in values)
            if finite and self.allows(value := values if self.is_list else values[0]):
                return type(self.default)(value)
        except (KeyError, ValueError):
            pass
        raise ValueError(f'{text!r} is not {self.expected}')


def parameter(
    default: T, help: str, *, least: float | None = None, most: float | None = None,
    choices: tuple[Any, ...] = (), fixed: Fixed | None = None, example: T | None = None,
) -> T:
    """Describe a field of a configuration; what the arguments are says :class:`Parameter`."""
    described = Parameter('', default, help, least, most, choices, fixed, example)
    made: T = field(default=default, metadata={'parameter': described})
    return made


def describe(config_class: type) -> Mapping[str, Parameter]:
    """List the parameters of a configuration by name, in their order."""
    return _described(config_class)  # type: ignore[arg-type]  # a class is hashable


@cache
def _described(config_class: type) -> Mapping[str, Parameter]:
    return {
        f.name: replace(f.metadata['parameter'], name=f.name)
        for f in fields(config_class) if 'parameter' in f.metadata
    }


def find(config_class: type, name: str) -> Parameter:
    """
    Find one parameter of a configuration.

    :raises KeyError: if it has none of that name.
    """
    return describe(config_class)[name]


def check(config: Any) -> None:
    """
    Check every parameter of a configuration.

    :raises ValueError: for the first value that is not allowed; names the parameter.
    """
    for name, described in describe(type(config)).items():
        described.check(getattr(config, name))


def build(config_class: type[T], values: Mapping[str, Any]) -> T:
    """
    Build a configuration from plain values by name; others are passed over.

    :raises ValueError: for a value that is not allowed; names the parameter.
    """
    return config_class(**{
        name: described.typed(values[name]) for name, described in describe(config_class).items()
    })
