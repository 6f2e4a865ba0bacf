"""Parameters of nodes, declared from the configurations that describe them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from ..config import StreamConfig
from ..node import NodeConfig
from ..parameter import build, describe, Parameter, plain
from ..types import Budget
from .camera_parameters import PREFIX
from .overrides import checked, declared_value, unknown, warn_of_unknown

T = TypeVar('T')
# Of the detector node.
PARAMETERS: Mapping[str, Parameter] = {**describe(NodeConfig), **describe(StreamConfig)}
# A range of ROS has two ends; these stand for none.
INT_MAX, FLOAT_MAX = 2**31 - 1, 1e9


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Build the descriptor of a parameter: what it does, its range, whether it is fixed."""
    made = ParameterDescriptor(
        description=f'{parameter.help} Takes effect {parameter.effective}.',
        additional_constraints=parameter.range if parameter.choices else '',
        read_only=parameter.fixed == 'start',
    )
    if parameter.least is None:
        return made
    low, high = parameter.least, parameter.most
    if parameter.kind is float:
        most = FLOAT_MAX if high is None else float(high)
        made.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=most)]
    else:
        most = INT_MAX if high is None else int(high)
        made.integer_range = [IntegerRange(from_value=int(low), to_value=most)]
    return made


def given(node: Node, name: str) -> Any:
    """Return what the command line or a parameter file gives; None where they do not."""
    anything = ParameterDescriptor(dynamic_typing=True)
    value = node.declare_parameter(name, descriptor=anything).value
    node.undeclare_parameter(name)
    return value


def declare(node: Node, parameters: Mapping[str, Parameter]) -> None:
    """
    Declare parameters with what was given at start, and warn of names that there are not.

    :raises ValueError: for a value of another type or out of range; names the parameter.
    """
    for name, parameter in parameters.items():
        value = declared_value(node, parameter)
        node.declare_parameter(name, value, descriptor(parameter), ignore_override=True)
    warn_of_unknown(node, parameters)


def current(node: Node, parameters: Mapping[str, Parameter] = PARAMETERS) -> dict[str, Any]:
    """Read the values of parameters."""
    return {name: node.get_parameter(name).value for name in parameters}


def read(node: Node, config_class: type[T]) -> T:
    """
    Build a configuration from a node's parameters.

    :raises ValueError: for a value outside its range.
    """
    return build(config_class, current(node, describe(config_class)))


def declared(node: Node, config_class: type[T]) -> T:
    """
    Declare the parameters of a node that reads them once, at start; and read them.

    :raises ValueError: for a value of another type or out of range; names the parameter.
    """
    parameters = describe(config_class)
    declare(node, {name: replace(parameters[name], fixed='start') for name in parameters})
    return read(node, config_class)


def with_fractions(changes: Iterable[RosParameter]) -> list[RosParameter]:
    """Turn whole numbers into fractions where the parameter is one (``ros2 param set p 1``)."""
    return [
        RosParameter(change.name, RosParameter.Type.DOUBLE, float(change.value))
        if change.type_ == RosParameter.Type.INTEGER
        and change.name in PARAMETERS and PARAMETERS[change.name].kind is float
        else change
        for change in changes
    ]


def mistaken(node: Node, changes: Iterable[RosParameter]) -> str:
    """Say which change names no parameter, or has a value that it cannot have; '' for none."""
    for change in changes:
        if not node.has_parameter(change.name):
            known = set(PARAMETERS)
            if change.name.startswith(PREFIX):
                known = {PREFIX + name for name in node.get_parameters_by_prefix(PREFIX[:-1])}
            return ' '.join(unknown([change.name], known, node.get_fully_qualified_name()))
        if change.name in PARAMETERS and change.value is not None:
            try:
                checked(PARAMETERS[change.name], change.value)
            except ValueError as error:
                return str(error)
    return ''


def why_refused(changes: Mapping[str, Any], values: Mapping[str, Any], configured: bool) -> str:
    """
    Say why a change of parameters cannot be taken; '' where it can. Nothing is changed.

    :param values: the values in force.
    :param configured: whether the node has read its weights already.
    """
    for name in PARAMETERS.keys() & changes.keys() if configured else ():
        if PARAMETERS[name].fixed == 'configure' and plain(changes[name]) != plain(values[name]):
            return (
                f'{name} is read when the node is configured, and it is configured: deactivate '
                'and clean up the node (`ros2 lifecycle set NODE deactivate`, then `cleanup`), '
                f'set {name}, then configure and activate it'
            )
    if reason := _why_no_budget(changes, values):
        return reason
    try:
        for config_class in (StreamConfig, NodeConfig):
            build(config_class, {**values, **changes})
    except ValueError as error:
        return str(error)
    return ''


def _why_no_budget(changes: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Say that a target was set for another kind of budget, and how to set both; '' elsewhere."""
    former, kind = values['budget'], changes.get('budget', Budget.NONE.value)
    if Budget.NONE.value in (former, kind) or kind == former or 'budget_target' in changes:
        return ''
    return (
        f'budget: {kind}: the budget_target of {values["budget_target"]:g} is that of {former}; '
        f'set budget none, then the new budget_target, then budget {kind}'
    )
