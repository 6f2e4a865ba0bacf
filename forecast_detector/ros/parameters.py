"""ROS parameters of the detector node, declared from the frozen configurations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, cast, get_args

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..config import Resize, StreamConfig
from ..types import Policy
from .overrides import checked, declare_all, unknown

INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class NodeConfig:
    """
    What the node needs beside :class:`~forecast_detector.config.StreamConfig`.

    :ivar image_topics: one camera a topic; until it has publishers, a name ending in
        ``/compressed`` is taken as ``sensor_msgs/CompressedImage``, any other as
        ``sensor_msgs/Image``.
    :ivar input_size: (height, width) of the network's input, pixels, multiples of 32; (0, 0) is
        the trained one.
    :ivar resize: ``letterbox`` or ``stretch``; empty is the trained way.
    :ivar cpu_threads: threads of the network on the CPU; 0 leaves it to PyTorch.
    :ivar lossless: every frame is processed, in order, and reliably transported.
    :ivar max_age_s: older images are not processed, seconds; 0 is no limit.
    :ivar image_timeout_s: a camera silent for longer is warned about, seconds.
    """

    weights: str = 'foda'
    device: str = 'auto'
    image_topics: tuple[str, ...] = ('image_raw',)
    input_size: tuple[int, ...] = (0, 0)
    resize: str = ''
    autostart: bool = True
    lossless: bool = False
    cpu_threads: int = 0
    max_age_s: float = 0.0
    image_timeout_s: float = 2.0

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        for name in ('cpu_threads', 'max_age_s', 'image_timeout_s'):
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f'{name}: {value} is below 0')
        size = self.input_size
        if len(size) != 2 or any(side < 0 or side % 32 for side in size) or any(size) != all(size):
            raise ValueError(
                f'input_size: {list(size)} is not [height, width] in multiples of 32 '
                '([0, 0] is the trained size)'
            )
        if self.resize not in ('', *get_args(Resize)):
            raise ValueError(f'resize: {self.resize!r} is none of {("", *get_args(Resize))}')


DESCRIPTIONS = {
    'p': 'Threshold of the scheduler: the next frame is a FORECAST if the confidence is strictly '
    'greater. 1 reads every frame. Effective at the next frame.',
    'accumulate': 'Whether p bounds the confidence in all forecasts since the last READ together '
    "(the product of the scheduler's outputs), or that in the next one alone.",
    'policy': 'Who decides: scheduler (the network), read (always READ) or alternate (every '
    'read_every-th frame is a READ).',
    'read_every': 'With policy alternate, every read_every-th frame is a READ.',
    'max_consecutive_forecasts': 'A READ is forced after that many forecasts; 0 is no limit.',
    'commit_on_forecast': 'Whether a FORECAST keeps the LSTM state that it computed.',
    'score_threshold': 'Detections with a lower score are not published.',
    'nms_iou': 'Overlap above which the weaker box of a class is dropped.',
    'max_detections': 'At most so many detections a frame.',
    'reset_on_time_jump': 'A stamp earlier than the last one resets the stream (bag loops); '
    'otherwise such a frame is refused.',
    'max_gap_s': 'A longer gap between stamps resets the stream, seconds; 0 is no limit.',
    'weights': 'Shipped weights by name (foda, synthetic) or the path of a .safetensors file. '
    'Read when the node is configured.',
    'device': 'auto, cpu, cuda or cuda:N. Read when the node is configured.',
    'image_topics': 'Image topics, one a camera, raw or compressed. Read when the node is '
    'configured.',
    'input_size': "Height and width of the network's input, multiples of 32; [0, 0] is what the "
    'weights were trained with. Read when the node is configured.',
    'resize': 'How an image is laid into the input: letterbox keeps its aspect, stretch does not; '
    'empty is what the weights were trained with. Read when the node is configured.',
    'autostart': 'The node configures and activates itself at start.',
    'lossless': 'Process every frame in order instead of the newest only; needs reliable '
    'publishers. Fixed at start, like the quality of service that follows from it.',
    'cpu_threads': 'Threads of the network on the CPU; 0 leaves it to PyTorch. Read when the '
    'node is configured.',
    'max_age_s': 'Images older than this when their turn comes are dropped, seconds; 0 is no '
    'limit.',
    'image_timeout_s': 'A camera silent for longer is warned about, seconds.',
}
CONSTRAINTS = {'policy': 'one of ' + ', '.join(policy.value for policy in Policy)}
RANGES: dict[str, tuple[float, float]] = {
    'p': (0.0, 1.0),
    'score_threshold': (0.0, 1.0),
    'nms_iou': (0.0, 1.0),
    'read_every': (1, INT_MAX),
    'max_consecutive_forecasts': (0, INT_MAX),
    'max_detections': (1, INT_MAX),
    'max_gap_s': (0.0, 1e9),
    'cpu_threads': (0, 1024),
    'max_age_s': (0.0, 1e9),
    'image_timeout_s': (0.0, 1e9),
}
READ_ONLY = ('autostart', 'lossless')
READ_ON_CONFIGURE = ('weights', 'device', 'image_topics', 'input_size', 'resize', 'cpu_threads')


def _ros_value(value: Any) -> Any:
    """Turn a default into a type that ROS parameters have."""
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def defaults() -> dict[str, Any]:
    """List every parameter and its default, as ROS values."""
    configs = (StreamConfig(), NodeConfig())
    return {
        f.name: _ros_value(getattr(config, f.name)) for config in configs for f in fields(config)
    }


def describe(name: str, default: Any) -> ParameterDescriptor:
    """Build the descriptor of a parameter: what it does, its range, whether it is fixed."""
    descriptor = ParameterDescriptor(
        description=DESCRIPTIONS[name],
        additional_constraints=CONSTRAINTS.get(name, ''),
        read_only=name in READ_ONLY,
    )
    if name in RANGES:
        low, high = RANGES[name]
        if isinstance(default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(high), step=0)
            ]
    return descriptor


def given(node: Node, name: str) -> Any:
    """Return what the command line or a parameter file gives; None where they do not."""
    anything = ParameterDescriptor(dynamic_typing=True)
    value = node.declare_parameter(name, descriptor=anything).value
    node.undeclare_parameter(name)
    return value


def declare(node: Node) -> None:
    """
    Declare every parameter with its default, its range and what was given at start.

    A whole number is taken where a fraction is expected (``-p p:=1``).

    :raises ValueError: for a value of the wrong type; it names the parameter and the remedy.
    :raises rclpy.exceptions.ParameterException: for one out of range; it names the parameter.
    """
    declare_all(
        node, {name: (default, describe(name, default)) for name, default in defaults().items()}
    )


def with_fractions(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Turn whole numbers into fractions where the parameter is one (``ros2 param set p 1``)."""
    known = defaults()
    return [
        Parameter(p.name, Parameter.Type.DOUBLE, float(p.value))
        if p.type_ == Parameter.Type.INTEGER and isinstance(known.get(p.name), float)
        else p
        for p in parameters
    ]


def mistaken(node: Node, changes: Iterable[Parameter]) -> str:
    """Say which change names no parameter, or has a value of another type; '' for none."""
    known = defaults()
    for change in changes:
        if not node.has_parameter(change.name):
            return ' '.join(unknown([change.name], known, node.get_fully_qualified_name()))
        if change.name in known and change.value is not None:
            try:
                checked(change.name, known[change.name], change.value)
            except ValueError as error:
                return f'wrong type: {error}'
    return ''


def current(node: Node) -> dict[str, Any]:
    """Read every parameter of the node."""
    return {name: node.get_parameter(name).value for name in defaults()}


def stream_config(values: Mapping[str, Any]) -> StreamConfig:
    """
    Build the streams' configuration from parameter values.

    :raises ValueError: for a value outside its range, or an unknown policy.
    """
    chosen = {f.name: values[f.name] for f in fields(StreamConfig)}
    try:
        chosen['policy'] = Policy(chosen['policy'])
    except ValueError:
        raise ValueError(
            f'policy: {chosen["policy"]!r} is unknown; expected {CONSTRAINTS["policy"]}'
        ) from None
    return StreamConfig(**chosen)


def node_config(values: Mapping[str, Any]) -> NodeConfig:
    """
    Build the node's own configuration from parameter values.

    :raises ValueError: for a value outside its range.
    """
    chosen = {f.name: values[f.name] for f in fields(NodeConfig)}
    for name in ('image_topics', 'input_size'):
        chosen[name] = tuple(chosen[name])
    return NodeConfig(**chosen)


def given_size(config: NodeConfig) -> tuple[int, int] | None:
    """Return the input size that was asked for, (height, width); None is the trained one."""
    height, width = config.input_size
    return (height, width) if height else None


def given_resize(config: NodeConfig) -> Resize | None:
    """Return the way of resizing that was asked for; None is the trained one."""
    return cast(Resize, config.resize) if config.resize else None


def why_refused(changes: Mapping[str, Any], values: Mapping[str, Any], configured: bool) -> str:
    """
    Say why a change of parameters cannot be taken; '' where it can. Nothing is changed.

    :param values: the values in force.
    :param configured: whether the node has read its weights already.
    """
    for name in READ_ON_CONFIGURE:
        if configured and name in changes and _plain(changes[name]) != _plain(values[name]):
            return (
                f'{name} is read when the node is configured, and it is configured: deactivate '
                'and clean up the node (`ros2 lifecycle set NODE deactivate`, then `cleanup`), '
                f'set {name}, then configure and activate it'
            )
    wanted = {**values, **changes}
    try:
        stream_config(wanted)
        node_config(wanted)
    except ValueError as error:
        return str(error)
    return ''


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else list(value)
