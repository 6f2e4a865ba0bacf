"""Training recipes: frozen, typed, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ..checkpoint import check_info
from ..config import model_config_from_dict, ModelConfig, preset_config
from ..model.backbone import FINE_STAGES
from ..shipped import find
from .precision import check_precision, Precision
from .sequence_recipe import SequenceRecipe

T = TypeVar('T')
PHASES = ('detector', 'baseline', 'joint', 'temporal', 'scheduler')


@dataclass(frozen=True)
class DetectorRecipe:
    """
    Phase 1: backbone, neck and head on single frames.

    :ivar steps: optimiser steps.
    :ivar batch_size: images a step.
    :ivar lr: peak learning rate of neck and head (AdamW, one cycle).
    :ivar backbone_lr: peak learning rate of the trained backbone stages.
    :ivar frozen_stages: backbone stages, from the stem on, that keep their ImageNet weights.
    :ivar match_iou: overlap from which an anchor answers for an object (SSD: 0.5).
    :ivar mosaic: share of images made of four crops around objects, at their own scale: four
        times the objects for the price of one image.
    :ivar turns: augment with quarter turns, for cameras that look down.
    :ivar ema: decay of the weights' moving average.
    """

    steps: int = 2000
    batch_size: int = 16
    lr: float = 2e-3
    backbone_lr: float = 5e-4
    weight_decay: float = 1e-2
    frozen_stages: int = 3
    match_iou: float = 0.5
    mosaic: float = 0.5
    turns: bool = False
    ema: float = 0.998
    precision: Precision = 'fp32'

    def __post_init__(self) -> None:
        """:raises ValueError: for an unknown precision."""
        check_precision(self.precision)


@dataclass(frozen=True)
class TemporalRecipe:
    """
    Phase 2: encoders, scheduler and head on sequences of cached features.

    :ivar steps: optimiser steps.
    :ivar frames: length of a training sequence; one extra frame is the last forecast's target.
    :ivar batch_size: sequences a step.
    :ivar segments: stretches of each clip whose features are cached, each with its own
        augmentation.
    :ivar thinning: largest frame stride minus one (the paper's r, bounded by the segment).
    :ivar unthinned_share: last share of the steps without thinning.
    :ivar seen: probabilities that the detector sees F, Ft, or Fm, drawn per sequence and step
        (the paper: one third each).
    :ivar forecast_share: probability that a step's F is the forecast and not the read features,
        ramped up over the first half (the paper: 0).
    :ivar truncate: frames after which gradients no longer flow back through the LSTMs' states;
        0 is never.
    :ivar scheduler_from: share of the steps after which the scheduler trains (paper: 24/40).
    :ivar detach_scheduler: keep the decision loss from everything but the scheduler (the paper
        trains end to end).
    :ivar relative: ask of the forecast only the objects that reading would have found: a READ
        that fails too is wasted (the paper asks for all objects).
    :ivar success_iou: a forecast serves if every object is found with more than this overlap
        and at least ``success_score``.
    :ivar false_alarm_score: on a frame without objects a forecast serves if no detection
        reaches this score.
    """

    steps: int = 1200
    frames: int = 10
    batch_size: int = 12
    lr: float = 1e-3
    head_lr: float = 2e-4
    scheduler_lr: float = 1e-3
    weight_decay: float = 1e-2
    segments: int = 6
    thinning: int = 2
    unthinned_share: float = 0.05
    seen: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    forecast_share: float = 0.0
    truncate: int = 0
    scheduler_from: float = 0.6
    detach_scheduler: bool = True
    relative: bool = False
    success_iou: float = 0.7
    success_score: float = 0.3
    false_alarm_score: float = 0.5
    ema: float = 0.998
    precision: Precision = 'fp32'

    def __post_init__(self) -> None:
        """:raises ValueError: for an unknown precision."""
        check_precision(self.precision)


@dataclass(frozen=True)
class SchedulerRecipe:
    """
    Phase 3: the scheduler alone, on streams that it steers. The paper has no such phase.

    :ivar steps: optimiser steps; 0 leaves the phase out.
    :ivar frames: length of a stream, beside the one extra frame; shorter where the stride wants
        it, since segments end.
    :ivar thinning: largest frame stride minus one.
    :ivar cut: probability that a stream cuts to another clip on its way, [0, 1]. Only a network
        that peeks can see a cut.
    :ivar p: range of the thresholds, one drawn for each stream such that runs of forecasts of
        all lengths are as frequent.
    """

    steps: int = 0
    frames: int = 24
    batch_size: int = 8
    thinning: int = 0
    cut: float = 0.0
    lr: float = 1e-3
    weight_decay: float = 1e-2
    p: tuple[float, float] = (0.35, 0.99)
    ema: float = 0.95

    def __post_init__(self) -> None:
        """:raises ValueError: for thresholds or a probability outside their range."""
        low, high = self.p
        if not 0 < low <= high < 1:
            raise ValueError(f'scheduler.p: {[low, high]} is no range inside (0, 1)')
        if not 0 <= self.cut <= 1:
            raise ValueError(f'scheduler.cut: {self.cut} is outside [0, 1]')


@dataclass(frozen=True)
class LossWeights:
    """The weights of Eq. 1."""

    localisation: float = 1.0
    classification: float = 1.0
    forecast: float = 1.0
    decision: float = 0.7


@dataclass(frozen=True)
class TrainConfig:
    """
    A whole recipe.

    :ivar phases: what is trained, in this order: ``detector`` (single frames), ``temporal`` (on
        cached features) and ``scheduler``; or, end to end on sequences of images, ``baseline``
        (the recurrent one) and ``joint``.
    :ivar frames_in_memory: read all frames once and keep them; else each when it is needed.
    """

    name: str
    model: ModelConfig
    seed: int = 0
    phases: tuple[str, ...] = ('detector', 'temporal', 'scheduler')
    frames_in_memory: bool = True
    baseline: SequenceRecipe = field(default_factory=SequenceRecipe)
    joint: SequenceRecipe = field(default_factory=SequenceRecipe)
    detector: DetectorRecipe = field(default_factory=DetectorRecipe)
    temporal: TemporalRecipe = field(default_factory=TemporalRecipe)
    scheduler: SchedulerRecipe = field(default_factory=SchedulerRecipe)
    loss: LossWeights = field(default_factory=LossWeights)
    info: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """:raises ValueError: for unknown phases, and for provenance that is not text."""
        unknown = sorted(set(self.phases) - set(PHASES))
        if unknown or len(set(self.phases)) < max(1, len(self.phases)):
            raise ValueError(f'phases: {self.phases}; expected some of {PHASES}, each once')
        if self.model.fine_channels and self.detector.frozen_stages > FINE_STAGES:
            raise ValueError(
                f'detector.frozen_stages: {self.detector.frozen_stages}; the map at stride 16 '
                f'(fine_channels) is made after stage {FINE_STAGES}, so at most that many'
            )
        # It is written at the very end; a run of hours must not fail there.
        check_info(self.info)

    @property
    def mixes_stills(self) -> bool:
        """Whether a phase mixes still images with the videos."""
        return any(
            name in self.phases and recipe.stills > 0
            for name, recipe in (('baseline', self.baseline), ('joint', self.joint))
        )


SECTIONS: Mapping[str, type] = {
    'detector': DetectorRecipe, 'baseline': SequenceRecipe, 'joint': SequenceRecipe,
    'temporal': TemporalRecipe, 'scheduler': SchedulerRecipe, 'loss': LossWeights,
}


def _section(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{where}: unknown settings {unknown}; known are {sorted(known)}')
    for f in fields(kind):  # type: ignore[arg-type]
        value = values.get(f.name)
        if f.type in ('int', 'float') and isinstance(value, str):
            raise ValueError(
                f'{where}: {f.name}: {value!r} is text; YAML wants a point in a number such as '
                '1.0e-3'
            )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _with_base(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a recipe's settings; what it leaves out comes from the recipe named as ``base``."""
    values = dict(yaml.safe_load(path.read_text()) or {})
    name = values.pop('base', None)
    if name is None:
        return values
    base = path.with_name(f'{name}.yaml')
    if base in (*seen, path) or not base.is_file():
        try:
            base = find('recipes', name)
        except FileNotFoundError as error:
            raise ValueError(f'base: there is no {base}, or it comes back; {error}') from error
    if base in (*seen, path):
        raise ValueError(f'base: {name!r} comes back to this recipe; name another')
    merged = _with_base(base, (*seen, path))
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if both else value
    # Its own name: two runs must not overwrite each other's weights.
    return {**merged, 'name': values.get('name', path.stem)}


def load_train_config(path: str | Path, labels: tuple[str, ...]) -> TrainConfig:
    """
    Read a recipe.

    :param labels: class names of the training data; they become the model's.
    :raises ValueError: for unknown keys or values outside their range; names the file.
    """
    path = Path(path)
    try:
        values = _with_base(path)
        model = dict(values.pop('model', {}))
        preset = preset_config(model.pop('preset', 'default'), labels)
        base = {f.name: getattr(preset, f.name) for f in fields(ModelConfig)}
        base['anchors'] = asdict(preset.anchors)
        values = {'name': path.stem, **values}
        for section, kind in SECTIONS.items():
            if section in values:
                values[section] = _section(kind, values[section], section)
        return _section(
            TrainConfig, {**values, 'model': model_config_from_dict({**base, **model})}, 'recipe'
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path}: {error}') from error
