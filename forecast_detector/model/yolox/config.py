"""The shape of a YOLOX network. Saved with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
import math
from typing import Any, get_args

from ...config import check_input_size, check_labels, Resize
from ...settings import check_types

# Coordinates of a box, and whether there is an object.
FOUND = 5
# (depth, width, depthwise) of the sizes that were published.
SIZES: Mapping[str, tuple[float, float, bool]] = {
    'nano': (0.33, 0.25, True),
    'tiny': (0.33, 0.375, False),
    's': (0.33, 0.5, False),
    'm': (0.67, 0.75, False),
    'l': (1.0, 1.0, False),
    'x': (1.33, 1.25, False),
}


@dataclass(frozen=True)
class YoloxConfig:
    """
    The network's shape.

    :ivar depth: multiplies the number of bottlenecks; ``width``: the channels.
    :ivar depthwise: 3x3 convolutions are depthwise separable, as in YOLOX-Nano.
    :ivar input_size: (height, width) of the network's input in pixels, multiples of 32.
    :ivar resize: ``corner`` keeps the aspect and pads on the right and below (YOLOX's own way),
        ``trim`` does so up to the next multiple of 32 only, ``letterbox`` pads on all sides,
        ``stretch`` keeps no aspect.
    :ivar peek: how many times smaller than the input the thumbnail is, 2 or 4, that the picture
        is made of which motion is measured on, 4 times smaller.
    :ivar correction: channels of the layers that correct moved maps; 0 has none.
    :ivar scheduler: channels of the scheduler; 0 has a rule in its place.
    :ivar trust: the confidence of that rule in one forecast. With p = 0.8 the default reads
        every fourth frame.
    """

    labels: tuple[str, ...]
    depth: float = 0.33
    width: float = 0.25
    depthwise: bool = True
    input_size: tuple[int, int] = (416, 416)
    resize: Resize = 'corner'
    peek: int = 2
    correction: int = 0
    scheduler: int = 0
    trust: float = 0.93

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        check_labels(self.labels)
        check_input_size(self.input_size)
        for holds, message in (
            (
                all(math.isfinite(one) and 0 < one <= 4 for one in (self.depth, self.width)),
                f'depth and width must be above 0 and at most 4, got {self.depth}, {self.width}',
            ),
            (self.resize in get_args(Resize), f'resize: {self.resize!r} is none of '
             f'{get_args(Resize)}'),
            (self.peek in (2, 4), f'peek: {self.peek} is none of 2 and 4'),
            (
                0 <= self.correction <= 512 and 0 <= self.scheduler <= 512,
                'correction and scheduler must be 0 to 512 channels',
            ),
            (0 < self.trust < 1, f'trust: {self.trust} must lie between 0 and 1'),
        ):
            if not holds:
                raise ValueError(message)

    @property
    def bottlenecks(self) -> int:
        """Bottlenecks of the shortest stage; others have one or three times as many."""
        return max(round(self.depth * 3), 1)

    @property
    def channels(self) -> int:
        """Channels of the first layer."""
        return int(self.width * 64)

    @property
    def head_channels(self) -> int:
        """Channels of the head's maps."""
        return int(self.width * 256)

    @property
    def map_channels(self) -> int:
        """Channels of each map of F: those that classes are made of, a box and an object."""
        return self.head_channels + FOUND


def yolox_config_from_dict(values: Mapping[str, Any]) -> YoloxConfig:
    """
    Rebuild a configuration from plain values.

    :raises ValueError: for unknown or missing keys, or values outside their range.
    """
    known = {f.name for f in fields(YoloxConfig)}
    for names, what in ((set(values) - known, 'unknown'), (known - set(values), 'missing')):
        if names:
            raise ValueError(f'{what} model settings {sorted(names)}; known are {sorted(known)}')
    check_types(YoloxConfig, values)
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return YoloxConfig(**plain)
