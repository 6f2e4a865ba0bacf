"""A whole recipe: frozen, typed, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
import re
from typing import Any, TypeVar

import yaml

from ..checkpoint import check_info
from ..config import model_config_from_dict, ModelConfig, preset_config
from ..model.backbone import FINE_STAGES
from ..settings import check_types
from ..shipped import find
from .ranges import check_ranges
from .recipes import DetectorRecipe, LossWeights, SchedulerRecipe, TemporalRecipe
from .sequence_recipe import SequenceRecipe

T = TypeVar('T')
PHASES = ('detector', 'baseline', 'joint', 'temporal', 'scheduler')


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
        """:raises ValueError: for settings that do not go together; provenance must be text."""
        check_ranges(self, {'seed': 0})
        if not re.fullmatch(r'\w[\w.-]*', self.name):
            raise ValueError(
                f'name: {self.name!r} is to name a file; use letters, digits, _, - and .'
            )
        unknown = sorted(set(self.phases) - set(PHASES))
        if unknown or len(set(self.phases)) < max(1, len(self.phases)):
            raise ValueError(f'phases: {self.phases}; expected some of {PHASES}, each once')
        if self.model.peek and {'baseline', 'joint'} & set(self.phases):
            raise ValueError(
                'model.peek: phases baseline and joint train no peek; set peek: 0, or use phases '
                'detector, temporal, scheduler'
            )
        if self.detector.turns and self.model.resize == 'stretch':
            raise ValueError(
                'detector.turns: an image that is stretched to the input cannot be turned; set '
                'turns: false, or model.resize: letterbox'
            )
        if self.model.fine_channels and self.detector.frozen_stages > FINE_STAGES:
            raise ValueError(
                f'detector.frozen_stages: {self.detector.frozen_stages}; the map at stride 16 '
                f'(fine_channels) is made after stage {FINE_STAGES}, so at most that many'
            )
        # It is written at the very end; a run of hours must not fail there.
        check_info(self.info)

    @property
    def recipes(
        self,
    ) -> dict[str, DetectorRecipe | SequenceRecipe | TemporalRecipe | SchedulerRecipe]:
        """Return the recipe of each phase, in order."""
        return {name: getattr(self, name) for name in self.phases}

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


def _settings(values: Any, where: str) -> Mapping[str, Any]:
    """:raises ValueError: for what is no set of settings; an empty section is the defaults."""
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise ValueError(f'{where}: {values!r} is no set of settings, each with its value')
    return values


def _section(kind: type[T], values: Any, where: str) -> T:
    values = _settings(values, where)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{where}: unknown settings {unknown}; known are {sorted(known)}')
    try:
        check_types(kind, values)
        return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error


def with_base(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """
    Read a recipe's settings; what it leaves out comes from the recipe named as ``base``.

    But not ``info``, unless both lie in one folder.
    """
    values = dict(_settings(yaml.safe_load(path.read_text()), 'recipe'))
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
    merged = with_base(base, (*seen, path))
    if base.parent != path.parent:
        # Whose recipe it is, is not whose data it trains on.
        merged.pop('info', None)
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
        values = with_base(path)
        model = dict(_settings(values.pop('model', None), 'model'))
        preset = preset_config(model.pop('preset', 'default'), labels)
        base = {f.name: getattr(preset, f.name) for f in fields(ModelConfig)}
        base['anchors'] = asdict(preset.anchors)
        values = {'name': path.stem, **values, 'info': _settings(values.get('info'), 'info')}
        for section, kind in SECTIONS.items():
            if section in values:
                values[section] = _section(kind, values[section], section)
        return _section(
            TrainConfig, {**values, 'model': model_config_from_dict({**base, **model})}, 'recipe'
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path}: {error}') from error
