"""Frozen, typed configuration, checked once. Defaults live here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, get_args, Literal, TypeVar

from .limits import (
    MAX_CHANNELS,
    MAX_CLASSES,
    MAX_INPUT_SIDE,
    MAX_LABEL_LETTERS,
    MAX_LISTED,
)
from .parameter import check, parameter
from .settings import check_types
from .types import Budget, Policy

Backbone = Literal['efficientnet_lite0', 'mobilenet_v2']
Combination = Literal['mean', 'converted', 'features', 'recurrent']
Resize = Literal['letterbox', 'stretch', 'corner', 'trim']
Backend = Literal[
    'auto', 'torch', 'openvino', 'openvino_half', 'cuda_graphs', 'cuda_graphs_half']
T = TypeVar('T')


# Of budget_target, by the kind of budget.
UNITS = {'read_share': 'a share', 'latency': 'milliseconds a step', 'rate': 'steps a second'}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def check_labels(labels: Sequence[str]) -> None:
    """
    Check class names, as a file lists them.

    :raises ValueError: for none, too many or too long ones, one twice, or one that is no line.
    """
    _require(len(labels) > 0, 'labels: at least one class name is needed')
    _require(
        len(labels) <= MAX_CLASSES,
        f'labels: {len(labels)} class names; at most {MAX_CLASSES} are taken',
    )
    for label in labels:
        _require(
            len(label) <= MAX_LABEL_LETTERS and label.isprintable(),
            f'labels: {label[:MAX_LABEL_LETTERS]!r} is no class name; expected one line of at '
            f'most {MAX_LABEL_LETTERS} letters',
        )
    _require(len(set(labels)) == len(labels), f'labels must be distinct, got {labels}')


def check_input_size(size: Sequence[int]) -> None:
    """
    Check the size of a network's input.

    :param size: (height, width) in pixels.
    :raises ValueError: for a side off the grid of 32, or one that is too large.
    """
    _require(
        all(32 <= side <= MAX_INPUT_SIDE and side % 32 == 0 for side in size),
        f'input_size: {tuple(size)} must be multiples of 32, at most {MAX_INPUT_SIDE} '
        '(height, width)',
    )


Shapes = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class AnchorConfig:
    """
    Default boxes of the SSDLite head, one entry a head level, finest level first.

    :ivar shapes: (scale, ratio) of each anchor at one place: square root of its area as a
        share of the input side, and width over height.
    :ivar subdivisions: places per cell and axis. With 2, a cell predicts for four places half
        a stride apart, so that objects smaller than a cell find an anchor near them.
    """

    shapes: tuple[Shapes, ...]
    subdivisions: tuple[int, ...]

    def __post_init__(self) -> None:
        """:raises ValueError: for lengths that differ and for values that are not positive."""
        _require(
            len(self.shapes) == len(self.subdivisions),
            f'anchors: shapes for {len(self.shapes)} levels, subdivisions for '
            f'{len(self.subdivisions)}',
        )
        _require(
            all(value > 0 for level in self.shapes for shape in level for value in shape)
            and all(n >= 1 for n in self.subdivisions),
            'anchors: scales, ratios and subdivisions must be positive',
        )
        most = max((len(self.shapes), *self.subdivisions, *map(len, self.shapes)), default=0)
        _require(
            most <= MAX_LISTED,
            f'anchors: at most {MAX_LISTED} levels, shapes and subdivisions, got {most}',
        )

    def per_cell(self, level: int) -> int:
        """Count the anchors of one cell of a level."""
        return len(self.shapes[level]) * self.subdivisions[level] ** 2


def dense_anchors() -> AnchorConfig:
    """Anchors from a twentieth of the input on, two places a cell and axis on the fine levels."""
    scales = ((0.05, 0.09, 0.16), (0.26, 0.38), (0.55,), (0.75,), (0.95,))
    ratios = (1.0, 2.2, 0.45)
    shapes = tuple(tuple((s, r) for s in level for r in ratios) for level in scales)
    return AnchorConfig(shapes, (2, 2, 1, 1, 1))


def ssd_anchors() -> AnchorConfig:
    """
    SSD's anchors (Liu et al. 2016) for five levels from stride 32 on.

    Scales 0.2 to 0.95, ratios 1, 2, 1/2, 3, 1/3 and a larger square; as there is no finer
    level, a square of 0.1 joins the first one.
    """
    scales = [0.2 + (0.95 - 0.2) * level / 4 for level in range(5)] + [1.0]
    shapes = []
    for level in range(5):
        shape = [(scales[level], ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 1 / 3)]
        shape.append(((scales[level] * scales[level + 1]) ** 0.5, 1.0))
        shapes.append(tuple(shape + [(0.1, 1.0)] * (level == 0)))
    return AnchorConfig(tuple(shapes), (1,) * 5)


def _channels(default: int, help: str, least: int = 0) -> int:
    return parameter(default, help, least=least, most=MAX_CHANNELS)


@dataclass(frozen=True)
class ModelConfig:
    """
    The network's shape. Saved with the weights.

    :ivar input_size: (height, width) of the network's input in pixels, multiples of 32.
    :ivar anchors: default boxes of the head.
    :ivar extra_channels: of the head's levels behind those of F.
    :ivar scheduler_channels: of its two convolutions.
    """

    labels: tuple[str, ...]
    backbone: Backbone = parameter(
        'efficientnet_lite0', 'What reads images.', choices=get_args(Backbone),
    )
    feature_channels: int = _channels(
        256, 'Channels of F (and of Fc, Ft, Fm). Where the backbone gives another number, a 1x1 '
        'neck converts.', least=1,
    )
    lstm_channels: int = _channels(
        256, "Hidden channels of each encoder's bottleneck LSTM.", least=1,
    )
    residual: bool = parameter(
        True, 'An encoder adds its output to its input. At initialisation the forecast is then a '
        'copy of F, the strongest trivial forecast. The paper has no such shortcut.',
    )
    combination: Combination = parameter(
        'mean', 'What the detector sees: mean of F and Ft (the paper, 3.1), converted: Ft alone '
        '(its ablation w/o combination), features: F alone (no encoder reaches the detector), or '
        'recurrent: one encoder whose output the detector sees, no forecast and no scheduler (the '
        "paper's baseline; it reads every frame).", choices=get_args(Combination),
    )
    input_size: tuple[int, int] = (320, 320)
    resize: Resize = parameter(
        'letterbox', 'letterbox keeps the aspect and pads on all sides, corner on the right and '
        'below; stretch keeps no aspect.',
        choices=tuple(one for one in get_args(Resize) if one != 'trim'),
    )
    anchors: AnchorConfig = field(default_factory=dense_anchors)
    extra_channels: tuple[int, ...] = (512, 256, 256, 128)
    displacement: int = parameter(
        4, "Reach of the scheduler's correlation, in cells.", least=0, most=16,
    )
    scheduler_channels: tuple[int, int] = (64, 32)
    scheduler_context: int = _channels(
        32, 'Channels, made from Fc and Ft, that the scheduler sees beside their correlation, '
        "which is then that of unit vectors; 0 is the paper's scheduler.",
    )
    peek: int = parameter(
        4, 'How many times smaller than the input the thumbnail is that corrects a forecast; 0 '
        '(the paper): a FORECAST never touches the image.', choices=(0, 2, 4),
    )
    fine_channels: int = _channels(
        0, 'Channels of a map at stride 16, folded four to one into further channels of F, so '
        "that it is forecast with it; the head's first level is then this map. 0 is none (the "
        'paper).',
    )

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        check_labels(self.labels)
        _require(
            self.resize != 'trim',
            "resize: 'trim' is for YOLOX; boxes of this network are shares of its whole input: "
            'use letterbox, corner or stretch',
        )
        check(self)
        check_input_size(self.input_size)
        for name in ('extra_channels', 'scheduler_channels'):
            widths = getattr(self, name)
            _require(
                len(widths) <= MAX_LISTED and all(0 <= n <= MAX_CHANNELS for n in widths),
                f'{name}: {len(widths)} numbers, the largest {max(widths, default=0)}; expected '
                f'at most {MAX_LISTED} in [0, {MAX_CHANNELS}]',
            )
        _require(
            self.combination != 'recurrent' or not self.peek,
            "peek corrects forecasts, and combination 'recurrent' has none; set peek: 0",
        )
        levels = len(self.head_channels) + len(self.extra_channels)
        _require(
            len(self.anchors.shapes) == levels,
            f'anchors has {len(self.anchors.shapes)} levels; the head has {levels}: '
            f'{len(self.head_channels)} of F and those of extra_channels',
        )

    @property
    def head_channels(self) -> tuple[int, ...]:
        """Channels of the maps that the head is given, finest first."""
        return tuple(c for c in (self.fine_channels, self.feature_channels) if c)

    @property
    def map_channels(self) -> int:
        """Channels of F in all: with the finer map, four of its cells in each cell."""
        return self.feature_channels + 4 * self.fine_channels


def paper_preset(labels: tuple[str, ...]) -> ModelConfig:
    """
    Shape the network closest to the paper's letter that still pays.

    MobileNetV2, F of 1280 channels (the map before the average pool), a narrower LSTM with a
    1x1 convolution back, no shortcut around the encoders.
    """
    return ModelConfig(
        labels,
        backbone='mobilenet_v2',
        feature_channels=1280,
        lstm_channels=256,
        residual=False,
        anchors=ssd_anchors(),
        scheduler_context=0,
        peek=0,
    )


def preset_config(name: str, labels: tuple[str, ...]) -> ModelConfig:
    """
    Make the configuration of a preset.

    :param name: ``default`` (the one that pays) or ``paper``.
    :raises ValueError: for another name.
    """
    if name == 'default':
        return ModelConfig(labels)
    _require(name == 'paper', f"preset: {name!r} is none of 'default', 'paper'")
    return paper_preset(labels)


@dataclass(frozen=True)
class StreamConfig:
    """How streams are stepped: gating, post-processing, resets."""

    p: float = parameter(
        0.8, 'Threshold of the scheduler: the next frame is a FORECAST if the confidence is '
        'strictly greater. 1 reads every frame; a lower p reads fewer.', least=0, most=1,
    )
    accumulate: bool = parameter(
        True, 'Whether p bounds the confidence in all forecasts since the last READ together (the '
        "product of the scheduler's outputs), or that in the next one alone, as in the paper.",
    )
    blend: bool = parameter(
        True, 'Whether a FORECAST is blended with the boxes of the last READ, carried along: '
        'fewer objects fade away. For YOLOX, whose forecast is dense motion; no other family '
        'does it.',
    )
    policy: Policy = parameter(
        Policy.AUTO, 'Which frames are READ, and what answers the others. scheduler (the '
        'network decides), alternate (every read_every-th frame): the forecast. scheduled_flow '
        '(the network decides), flow (every read_every-th frame): the boxes of the last READ, '
        'moved and scaled along with the picture. read: every frame is a READ. auto: '
        'scheduled_flow with a YOLOX such as coco, scheduler with other weights. A change to or '
        'from flow or scheduled_flow resets the streams.',
        choices=tuple(policy.value for policy in Policy),
    )
    read_every: int = parameter(
        2, 'With policies alternate and flow, every read_every-th frame is a READ.', least=1,
        most=1_000_000,
    )
    budget: Budget = parameter(
        Budget.NONE, 'What moves p, of all cameras together: none (it is what it is set to), '
        'read_share (the share of READs is held at budget_target), latency (the mean time of a '
        'step, milliseconds), rate (steps a second that could be computed, whatever the cameras '
        'send).',
        choices=tuple(budget.value for budget in Budget),
    )
    budget_target: float = parameter(
        0.25, 'What budget holds: a share of READs in (0, 1], milliseconds, or steps a second, '
        'both at least 1. Set it before budget; for another kind set budget to none first.',
        least=0,
    )
    p_least: float = parameter(0.0, 'A budget takes p no lower.', least=0, most=1)
    p_most: float = parameter(1.0, 'A budget takes p no higher.', least=0, most=1)
    max_consecutive_forecasts: int = parameter(
        0, 'A READ is forced after so many forecasts in a row; 0 is no limit.', least=0,
        most=1_000_000,
    )
    commit_on_forecast: bool = parameter(
        True, 'Whether a FORECAST keeps the LSTM state that it computed.',
    )
    score_threshold: float = parameter(
        0.3, 'Detections with a lower score are left out.', least=0, most=1,
    )
    nms_iou: float = parameter(
        0.5, 'Overlap (IoU) above which the weaker box of a class is dropped.', least=0, most=1,
    )
    max_detections: int = parameter(
        100, 'At most so many detections a frame.', least=1, most=10_000,
    )
    track: bool = parameter(
        True, 'Whether an object keeps its number (Detection2D.id) from frame to frame, also over '
        'some in which it is not detected. A reset gives new numbers.',
    )
    reset_on_time_jump: bool = parameter(
        True, 'A stamp earlier than the last one resets the stream, as when a bag loops; '
        'otherwise that frame is refused.',
    )
    max_gap_s: float = parameter(
        2.0, 'A longer gap between stamps resets the stream, seconds; 0 is no limit.', least=0,
        most=1e6,
    )

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range, or a budget that cannot be held."""
        check(self)
        if self.budget is not Budget.NONE:
            self._check_budget()

    def _check_budget(self) -> None:
        kind, target = self.budget.value, self.budget_target
        _require(
            self.policy.takes_p, f'budget: {kind} moves p, and policy {self.policy.value} takes '
            'none; set policy: scheduler, or budget: none',
        )
        _require(target > 0, f'budget_target: {target:g} is nothing to hold; expected more than 0')
        _require(
            self.budget is not Budget.READ_SHARE or target <= 1,
            f'budget_target: {target:g} is no share of READs; expected a number in (0, 1]; '
            'for a budget of another kind set budget: none first',
        )
        _require(
            self.budget is Budget.READ_SHARE or target >= 1,
            f'budget_target: {target:g} is no target of budget {kind}, which is in {UNITS[kind]}, '
            'at least 1; set budget_target first, then budget',
        )
        _require(
            self.p_least <= self.p_most,
            f'p_least: {self.p_least:g} is above p_most, {self.p_most:g}',
        )

    def replace(self, **changes: Any) -> StreamConfig:
        """Copy with changes, checked again."""
        return replace(self, **changes)

    def suited(self, moves: bool) -> StreamConfig:
        """Put the policy that suits the weights in the place of ``auto``, see :class:`Policy`."""
        return _suited(self, moves) if self.policy is Policy.AUTO else self


# Asked for each frame: making a configuration checks all of it.
@lru_cache(maxsize=256)
def _suited(config: StreamConfig, moves: bool) -> StreamConfig:
    return config.replace(policy=config.policy.suited(moves))


# What weights are that were written before there was such a setting.
BEFORE = {'fine_channels': 0}


def to_dict(config: Any) -> dict[str, Any]:
    """Turn a configuration into plain values (JSON, YAML)."""
    return asdict(config)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def model_config_from_dict(values: Mapping[str, Any]) -> ModelConfig:
    """
    Rebuild a :class:`ModelConfig` from :func:`to_dict`.

    Every setting has to be there, as a default that changes must not change old weights; but
    for those that came later, whose absence has one meaning.

    :raises ValueError: for unknown or missing keys, or values outside their range.
    """
    known = {f.name for f in fields(ModelConfig)}
    values = {**BEFORE, **values}
    unknown = sorted(set(values) - known)
    _require(not unknown, f'unknown model settings {unknown}; known are {sorted(known)}')
    missing = sorted(known - set(values))
    _require(not missing, f'model settings {missing} are missing; another version wrote them')
    check_types(ModelConfig, values)
    anchors = values.pop('anchors')
    _require(isinstance(anchors, Mapping), f'anchors: {anchors!r} is no set of settings')
    anchors = {key: _tuples(value) for key, value in anchors.items()}
    check_types(AnchorConfig, anchors)
    values = {key: _tuples(value) for key, value in values.items()}
    return ModelConfig(**values, anchors=AnchorConfig(**anchors))
