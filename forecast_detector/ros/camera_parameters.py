"""Parameters of single cameras: ``cameras.front.p`` goes before ``p``, for that camera."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from ..config import StreamConfig
from ..parameter import describe, Parameter
from .overrides import checked, overrides, unknown

PREFIX = 'cameras.'
# As `ros2 param dump` writes a parameter without a value, and ROS reads it back.
NOTHING = 'null'
OWN: Mapping[str, Parameter] = {
    name: describe(StreamConfig)[name]
    for name in ('p', 'score_threshold', 'max_consecutive_forecasts')
}


def name_of(camera: str, parameter: str) -> str:
    """Name a parameter of a camera."""
    return f'{PREFIX}{camera}.{parameter}'


def described(name: str) -> Parameter | None:
    """Describe what a camera's parameter stands before; None for another name."""
    own = OWN.get(name.rpartition('.')[2])
    return own if name.startswith(PREFIX) else None


def value_of(parameter: Parameter, name: str, value: Any) -> Any:
    """
    Check a value of a camera's parameter.

    :raises ValueError: for one that it cannot have; names the camera's parameter.
    """
    try:
        return checked(parameter, value)
    except ValueError as error:
        raise ValueError(f'{PREFIX}{name.removeprefix(PREFIX)}: {error}') from error


def declare(node: Node, camera: str, takes_given: bool = True) -> None:
    """
    Declare the parameters of a camera that are not; without a value those of all cameras hold.

    :param takes_given: whether they have the values given at start. ROS takes a parameter away
        when it is set to nothing (``ros2 param delete``): it then comes back without a value.
    :raises ValueError: for a value given at start that it cannot have.
    """
    for parameter in OWN.values():
        name = name_of(camera, parameter.name)
        if node.has_parameter(name):
            continue
        given = overrides(node).get(name) if takes_given else None
        value = None
        if given is not None and given.value != NOTHING:
            value = value_of(parameter, name, given.value)
        note = ParameterDescriptor(
            description=f'For this camera instead of {parameter.name}: {parameter.help} Without '
            f'a value {parameter.name} holds. Takes effect {parameter.effective}.',
            additional_constraints=parameter.expected, dynamic_typing=True,
        )
        node.declare_parameter(name, value, note, ignore_override=True)


def check_given(node: Node) -> None:
    """
    Check what is given at start for single cameras, be they there or not.

    :raises ValueError: for a value that a parameter cannot have.
    """
    for name, given in overrides(node).items():
        parameter = described(name)
        if parameter is not None and given.value != NOTHING:
            value_of(parameter, name, given.value)


def undeclare(node: Node, camera: str) -> None:
    """Take back the parameters of a camera that goes."""
    for parameter in OWN:
        name = name_of(camera, parameter)
        if node.has_parameter(name):
            node.undeclare_parameter(name)


def config_of(node: Node, camera: str, shared: StreamConfig) -> StreamConfig:
    """Build the configuration of a camera of its own parameters and those of all."""
    own = {
        name: node.get_parameter(name_of(camera, name)).value
        for name in OWN if node.has_parameter(name_of(camera, name))
    }
    return shared.replace(**{name: value for name, value in own.items() if value is not None})


def checked_changes(changes: Iterable[RosParameter]) -> list[RosParameter]:
    """
    Check those changes that are of single cameras; whole numbers become fractions.

    :raises ValueError: for a value that a parameter cannot have.
    """
    made = []
    for change in changes:
        parameter = described(change.name)
        if parameter is not None and change.value is not None:
            value = value_of(parameter, change.name, change.value)
            change = RosParameter(change.name, value=value)
        made.append(change)
    return made


def warn_of_strangers(node: Node, cameras: Iterable[str]) -> None:
    """Warn of parameters that were given for cameras, and name none that there is."""
    known = [name_of(camera, name) for camera in cameras for name in OWN]
    given = [name for name in overrides(node) if name.startswith(PREFIX)]
    for text in unknown(given, known, node.get_fully_qualified_name()):
        node.get_logger().warning(text)
