"""What the command line and parameter files give to a node: checked, each fault one line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
import json
import math
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from ..legible import legible
from ..parameter import KINDS, MANY, Parameter, plain

# Those of ROS itself. Some a node only has in later releases, or declares when it uses them.
# Nobody means such a name, and comparing it takes time.
LONG_NAME = 200
OF_ROS = ('use_sim_time', 'start_type_description_service', 'qos_overrides')


def overrides(node: Node) -> dict[str, RosParameter]:
    """
    List what a node was given at start, declared or not.

    rclpy tells what is given to a name, but not which names are given, and not an empty list
    from nothing; so its own table is read (the same from Humble on).
    """
    return dict(getattr(node, '_parameter_overrides', {}))


def declared_value(node: Node, parameter: Parameter) -> Any:
    """
    Choose the value to declare a parameter with: the given one, or the default.

    A whole number is taken where a fraction is expected (``-p p:=1``).

    :raises ValueError: for a value that it cannot have; names the parameter and the remedy.
    """
    given = overrides(node).get(parameter.name)
    return plain(parameter.default) if given is None else checked(parameter, given.value)


def checked(parameter: Parameter, value: Any) -> Any:
    """
    Check a value's type and range; whole numbers become fractions.

    :param value: None for an empty list: that is what rcl makes of it.
    :raises ValueError: for one that the parameter cannot have.
    """
    name, default, value = parameter.name, plain(parameter.default), plain(value)
    if type(default) is float and type(value) is int:
        value = float(value)
    if _shape(value) != _shape(default):
        raise ValueError(f'{name}: {_wrong_type(parameter, default, value)}')
    parameter.check(value)
    return value


def _wrong_type(parameter: Parameter, default: Any, value: Any) -> str:
    """Say what a value is and what to write instead."""
    example = default if parameter.example is None else plain(parameter.example)
    wanted, what = example, f'{legible(json.dumps(value, default=str))} is {_kind(value)}'
    if value is None or value == []:
        what = 'the list is empty' if parameter.is_list else 'an empty list'
    else:
        meant = _read_as(default, value)
        if not parameter.is_list or meant and len(meant) >= len(example):
            wanted = example if meant is None else meant
    return (f'{what}; expected {parameter.type_name}, such as '
            f'{parameter.name}: {json.dumps(wanted)}')


def _shape(value: Any) -> tuple[bool, type]:
    """Say whether it is a list, and of what; nothing is a list of nothing."""
    is_list = isinstance(value, list)
    return is_list, type(value[0] if is_list and value else value)


def _kind(value: Any) -> str:
    is_list, kind = _shape(value)
    return f'a list of {MANY.get(kind, "bytes")}' if is_list else KINDS.get(kind, 'bytes')


def _read_as(default: Any, value: Any) -> Any:
    """Read a value as one of the default's type where that has one meaning; None elsewhere."""
    if isinstance(default, list):
        if isinstance(value, str):  # as commands and launch arguments write lists
            value = [part.strip() for part in value.split(',')]
        parts = [_read_as(default[0], part) for part in
                 (value if isinstance(value, list) else [value])]
        return None if None in parts or '' in parts else parts
    if isinstance(value, list):
        return _read_as(default, value[0]) if len(value) == 1 else None
    kind = type(default)
    if type(value) is kind:
        return value
    try:
        if kind is bool:
            return {'true': True, '1': True, 'false': False, '0': False}.get(str(value).lower())
        if type(value) is bool:  # yes, on, true: which was written is not known any more
            return None
        read = kind(value)
        is_same = kind is str or (math.isfinite(read) and read == float(value))
    except (ValueError, OverflowError):
        return None
    return read if is_same else None


def warn_of_unknown(node: Node, known: Iterable[str]) -> None:
    """
    Warn of each name that a node was given and does not have, with the nearest that it has.

    Those of single cameras (``cameras.``) are judged when it is known which cameras there are.
    """
    given = [name for name in overrides(node) if not name.startswith('cameras.')]
    for text in unknown(given, known, node.get_fully_qualified_name()):
        node.get_logger().warning(text)


def unknown(given: Iterable[str], known: Iterable[str], node: str) -> list[str]:
    """
    Say of each name that it does not exist, and which was meant.

    :param known: names of the node's parameters; those of ROS need not be among them.
    :param node: full name.
    """
    names = [*known, *OF_ROS]
    lines = []
    for name in given:
        if name in names or name.startswith('qos_overrides.'):
            continue
        near = nearest(name, names) if len(name) < LONG_NAME else ''
        advice = f'did you mean {near}?' if near else f'`ros2 param list {node}` lists them all'
        lines.append(
            f'there is no parameter {legible(name)}: what is given for it is not used; {advice}')
    return lines


def nearest(name: str, names: Iterable[str]) -> str:
    """Find the name that was meant; '' where none is near. Nested ones go by either end too."""
    plain = {n.replace('_', ''): n for n in names}
    for part in (name, name.rpartition('.')[2], name.partition('.')[0]):
        key = part.lower().replace('-', '').replace('_', '')
        if near := get_close_matches(key, plain, n=1, cutoff=0.75):
            return plain[near[0]]
    return ''
