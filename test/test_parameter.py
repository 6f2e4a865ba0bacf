"""Parameters described at their fields: checks, reading of text, what is said."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
import pytest

from forecast_detector.config import StreamConfig
from forecast_detector.parameter import build, check, describe, find, parameter, plain
from forecast_detector.types import Policy


@dataclass(frozen=True)
class Oven:
    """Has one parameter of each kind, and a field that is none."""

    degrees: float = parameter(180.0, 'Heat.', least=0, most=250)
    trays: int = parameter(1, 'How many.', least=1)
    fan: bool = parameter(False, 'Whether it blows.')
    mode: str = parameter('', 'What it does.', choices=('', 'bake', 'grill'), fixed='start')
    names: tuple[str, ...] = parameter(('bread',), 'What is in it.')
    policy: Policy = parameter(Policy.READ, 'Who decides.', choices=('read', 'alternate'))
    serial: int = 7

    def __post_init__(self) -> None:
        check(self)


def test_a_description_has_what_the_field_says() -> None:
    assert list(describe(Oven)) == ['degrees', 'trays', 'fan', 'mode', 'names', 'policy']
    degrees, mode = find(Oven, 'degrees'), find(Oven, 'mode')
    assert (degrees.name, degrees.default, degrees.help) == ('degrees', 180.0, 'Heat.')
    assert (degrees.kind, degrees.least, degrees.most, degrees.fixed) == (float, 0, 250, None)
    assert (mode.kind, mode.choices, mode.fixed) == (str, ('', 'bake', 'grill'), 'start')
    assert find(Oven, 'names').is_list and find(Oven, 'names').kind is str
    assert find(Oven, 'policy').kind is str
    with pytest.raises(KeyError):
        find(Oven, 'serial')


@pytest.mark.parametrize(('values', 'said'), [
    ({'degrees': 250.5}, 'degrees: 250.5 is not a number in [0, 250]'),
    ({'degrees': math.nan}, 'degrees: nan is not a number in [0, 250]'),
    ({'degrees': '180'}, "degrees: '180' is not a number in [0, 250]"),
    ({'trays': 0}, 'trays: 0 is not a whole number of at least 1'),
    ({'trays': 1.5}, 'trays: 1.5 is not a whole number of at least 1'),
    ({'mode': 'fry'}, "mode: 'fry' is not one of '', bake, grill"),
    ({'policy': Policy.SCHEDULER}, "policy: 'scheduler' is not one of read, alternate"),
])
def test_what_is_not_allowed_is_refused_by_name(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        Oven(**values)
    assert str(caught.value) == said


def test_what_is_allowed_is_taken() -> None:
    for values in ({'degrees': 0}, {'degrees': np.float32(250)}, {'trays': np.int64(9)},
                   {'mode': 'grill'}, {'policy': Policy.ALTERNATE}):
        Oven(**values)


@pytest.mark.parametrize(('name', 'text', 'value'), [
    ('degrees', '90', 90.0), ('trays', '3', 3), ('fan', 'true', True), ('fan', 'false', False),
    ('mode', '', ''), ('names', 'bread, pie', ('bread', 'pie')), ('policy', 'read', Policy.READ),
])
def test_text_is_read(name: str, text: str, value: object) -> None:
    read = find(Oven, name).parse(text)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(('name', 'text', 'said'), [
    ('degrees', 'hot', "'hot' is not a number in [0, 250]"),
    ('degrees', 'nan', "'nan' is not a number in [0, 250]"),
    ('degrees', '-1', "'-1' is not a number in [0, 250]"),
    ('trays', '2.0', "'2.0' is not a whole number of at least 1"),
    ('trays', 'inf', "'inf' is not a whole number of at least 1"),
    ('fan', 'yes', "'yes' is not a switch (true or false)"),
    ('policy', 'scheduler', "'scheduler' is not one of read, alternate"),
])
def test_text_that_cannot_be_read_says_what_is_expected(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        find(Oven, name).parse(text)
    assert str(caught.value) == said


def test_a_limit_is_finite_as_text() -> None:
    with pytest.raises(ValueError, match=r'in \[0, 1000000\]'):
        find(StreamConfig, 'max_gap_s').parse('inf')


def test_plain_values_build_the_configuration() -> None:
    oven = Oven(degrees=200.0, names=('pie', 'bread'), policy=Policy.ALTERNATE)
    values = {name: plain(getattr(oven, name)) for name in describe(Oven)}
    assert values['names'] == ['pie', 'bread'] and values['policy'] == 'alternate'
    assert build(Oven, {**values, 'other': 1}) == oven
    with pytest.raises(ValueError, match='trays: 0'):
        build(Oven, {**values, 'trays': 0})


def test_every_setting_of_streams_is_a_parameter_with_its_default() -> None:
    config = StreamConfig()
    assert list(describe(StreamConfig)) == list(vars(config))
    for name, described in describe(StreamConfig).items():
        assert described.default == getattr(config, name) and described.help.endswith('.')
