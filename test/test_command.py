"""Commands are frozen dataclasses: options follow from their fields, and are refused in words."""

from dataclasses import dataclass, FrozenInstanceError
from importlib import import_module

import pytest

from forecast_detector.cli.command import Command, option, parse, stream_option
from forecast_detector.cli.main import COMMANDS
from forecast_detector.cli.options import OptionError, whole
from forecast_detector.config import StreamConfig
from forecast_detector.parameter import find


@dataclass(frozen=True, kw_only=True)
class Shared(Command):
    root: str = option('where')


@dataclass(frozen=True, kw_only=True)
class Example(Shared):
    """What a command can have."""

    source: str = option('what', flags=())
    root: str = option('where else', '.')
    many: int = option('how many', 3, whole(1), metavar='N')
    dry: bool = option('only say so, in 95 % of the cases', False)
    one: str | None = option('either', None, one_of='wish')
    other: str | None = option('or', None, one_of='wish')
    p: float = stream_option('p')


def test_fields_are_options_and_those_that_were_given_are_known():
    plain = parse(Example, ['in'])
    assert (plain.source, plain.root, plain.many, plain.one) == ('in', '.', 3, None)
    assert not plain.dry and plain.p == StreamConfig().p and plain.given == {'source'}
    typed = parse(Example, ['in', '--many', '3', '--dry', '--p', '0'])
    assert (typed.many, typed.dry, typed.p) == (3, True, 0.0)
    assert typed.given == {'source', 'many', 'dry', 'p'}
    with pytest.raises(FrozenInstanceError):
        typed.many = 4


def test_what_was_given_is_refused_by_its_name_as_typed():
    # A default that is typed asks for something, too.
    with pytest.raises(OptionError, match=r'^--many, --dry: not here$'):
        parse(Example, ['in', '--many', '3', '--dry']).refuse(('many', 'one', 'dry'), 'not here')
    parse(Example, ['in']).refuse(('many', 'dry'), 'not here')


@pytest.mark.parametrize(('words', 'message'), [
    ([], 'required: source'), (['in', '--many', '0'], "'0': a whole number of at least 1"),
    (['in', '--one', 'a', '--other', 'b'], 'not allowed with argument --one'),
    (['in', '--p', '1.5'], r"'1.5': a number in [0, 1]"),
])
def test_what_cannot_be_is_refused_by_the_parser(words, message, capsys):
    with pytest.raises(SystemExit):
        parse(Example, words)
    assert message in capsys.readouterr().err


def test_help_tells_defaults_and_what_a_parameter_does(capsys):
    with pytest.raises(SystemExit):
        parse(Example, ['--help'])
    text = ' '.join(capsys.readouterr().out.split())
    assert 'how many; default: 3' in text and 'in 95 % of the cases' in text
    assert find(StreamConfig, 'p').help.rstrip('.') in text
    assert f'default: {StreamConfig().p}' in text
    assert text.count('--root') == 2  # usage and help, though a base has it, too


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_is_one_dataclass_of_its_name(name):
    module = import_module(f'forecast_detector.cli.{name.replace("-", "_")}')
    kind = getattr(module, name.title().replace('-', '') + 'Command')
    assert issubclass(kind, Command) and kind.__dataclass_params__.frozen
    assert kind.run is not Command.run
