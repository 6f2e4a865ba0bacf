"""A command is a frozen dataclass: its fields are the options, argparse follows from them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, MISSING
import math
from typing import Any, ClassVar, TypeVar

from ..config import StreamConfig
from ..node import NodeConfig
from ..parameter import find, Parameter, plain
from . import options

C = TypeVar('C', bound='Command')


@dataclass(frozen=True)
class Option:
    """
    How a field is typed in a command.

    :ivar help: what it does; a default that it does not name follows it.
    :ivar flags: as typed, None follows from the name of the field; empty: by its position.
    :ivar parse: from text; None takes the text. Where the default is False it is a switch.
    :ivar section: heading that it stands under.
    :ivar one_of: only one of those that share this name can be given; if ``required`` is one of
        the other arguments of the first, one has to be.
    :ivar more: other arguments of ``add_argument``.
    """

    help: str
    flags: Sequence[str] | None = None
    parse: Callable[[str], Any] | None = None
    choices: Collection[Any] | None = None
    section: str = ''
    one_of: str = ''
    more: dict[str, Any] = field(default_factory=dict)


def option(
    help: str, default: Any = MISSING, parse: Callable[[str], Any] | None = None, *,
    flags: Sequence[str] | None = None, choices: Collection[Any] | None = None,
    section: str = '', one_of: str = '', **more: Any,
) -> Any:
    """Describe a field, see :class:`Option`; without a default it has to be given."""
    described = Option(help, flags, parse, choices, section, one_of, more)
    return field(default=default, metadata={'option': described})


def stream_option(name: str, help: str = '', default: Any = None, **more: Any) -> Any:
    """
    Describe a field that sets a parameter of a stream: range, default and help stand there.

    :param help: instead of the parameter's, where the command means more or less.
    """
    return _parameter_option(find(StreamConfig, name), help, default, more)


def node_option(name: str, help: str = '', default: Any = None, **more: Any) -> Any:
    """Describe a field that sets a parameter of the node, likewise."""
    return _parameter_option(find(NodeConfig, name), help, default, more)


def _parameter_option(found: Parameter, help: str, default: Any, more: dict[str, Any]) -> Any:
    least = -math.inf if found.least is None else found.least
    most = math.inf if found.most is None else found.most
    parse: Callable[[str], Any] | None = options.number(least, most)
    if found.kind is int:
        parse = options.whole(int(least), most=most)
    elif found.choices:
        parse = None
    return option(
        help or found.help.rstrip('.'), plain(found.default) if default is None else default,
        parse, choices=found.choices or None, **more)


def switch_off(name: str) -> Any:
    """Describe a field that switches a parameter of a stream off, in the parameter's words."""
    return option(f'set {name} to false: {find(StreamConfig, name).help.rstrip(".")}', False)


@dataclass(frozen=True, kw_only=True)
class Command:
    """
    What was typed.

    :ivar loads: what of the package takes long to load, and is needed in any case.
    :ivar given: fields whose options were, be it with their default.
    """

    loads: ClassVar[tuple[str, ...]] = ()
    given: frozenset[str] = frozenset()

    def run(self) -> int:
        """Run it; returns the exit status."""
        raise NotImplementedError

    def refuse(self, names: Sequence[str], why: str) -> None:
        """
        See that none of some options is given.

        :param why: what is wrong with it, after its name and a colon.
        :raises OptionError: names those that are.
        """
        found = ', '.join(flag(name) for name in names if name in self.given)
        if found:
            raise options.OptionError(f'{found}: {why}')


def flag(name: str) -> str:
    """Write the name of a field as its option is typed."""
    return '--' + name.replace('_', '-')


def add_options(parser: argparse.ArgumentParser, kind: type[Command]) -> None:
    """Add the options of a command; its own first, then those that it shares."""
    sections: dict[str, Any] = {'': parser}
    choices: dict[str, Any] = {}
    for one in _fields(kind):
        described: Option = one.metadata['option']
        if described.section not in sections:
            sections[described.section] = parser.add_argument_group(described.section)
        place = sections[described.section]
        if described.one_of:
            if described.one_of not in choices:
                choices[described.one_of] = place.add_mutually_exclusive_group(
                    required=described.more.get('required', False))
            place = choices[described.one_of]
        _add(place, one.name, one.default, described)


def _fields(kind: type[Command]) -> Iterator[Any]:
    by_name = {one.name: one for one in fields(kind) if 'option' in one.metadata}
    for base in kind.__mro__:
        for name in vars(base).get('__annotations__', {}):
            if name in by_name:
                yield by_name.pop(name)


def _add(place: Any, name: str, default: Any, described: Option) -> None:
    more = {key: value for key, value in described.more.items()
            if key != 'required' or not described.one_of}
    flags = [flag(name)] if described.flags is None else described.flags
    if flags:
        more['dest'] = name
        if default is MISSING:
            more['required'] = True
    if default is False:
        more['action'] = 'store_true'
    else:
        more.update(type=described.parse, choices=described.choices)
    text = described.help
    if default not in (MISSING, None, '', ()) and default is not False and 'default' not in text:
        words = ' '.join(map(str, default)) if isinstance(default, tuple) else default
        text += f'; default: {words}'
    place.add_argument(*(flags or [name]), default=argparse.SUPPRESS,
                       help=text.replace('%', '%%'), **more)


def parse(kind: type[C], words: Sequence[str]) -> C:
    """
    Read what was typed behind the name of a command.

    :raises SystemExit: for what cannot be.
    """
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    return made(kind, vars(parser.parse_args(words)))


def made(kind: type[C], values: dict[str, Any]) -> C:
    """Make a command of the options that were given."""
    return kind(**values, given=frozenset(values))
