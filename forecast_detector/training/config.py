"""A whole recipe: frozen, typed, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from ..checkpoint import check_info
from ..config import model_config_from_dict, ModelConfig, preset_config
from ..model.backbone import FINE_STAGES
from .ranges import check_ranges
from .recipe_file import check_name, check_phases, section, settings, with_base
from .recipes import DetectorRecipe, LossWeights, SchedulerRecipe, TemporalRecipe
from .sequence_recipe import SequenceRecipe

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
        check_name(self.name)
        check_phases(self.phases, PHASES)
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


def _given(values: Any) -> Any:
    """Take an empty section for the defaults."""
    return {} if values is None else values


def load_train_config(path: str | Path, labels: tuple[str, ...]) -> TrainConfig:
    """
    Read a recipe.

    :param labels: class names of the training data; they become the model's.
    :raises ValueError: for unknown keys or values outside their range; names the file.
    """
    path = Path(path)
    try:
        values = with_base(path)
        model = dict(settings(_given(values.pop('model', None)), 'model'))
        preset = preset_config(model.pop('preset', 'default'), labels)
        base = {f.name: getattr(preset, f.name) for f in fields(ModelConfig)}
        base['anchors'] = asdict(preset.anchors)
        info = settings(_given(values.get('info')), 'info')
        values = {'name': path.stem, **values, 'info': info}
        for name, kind in SECTIONS.items():
            if name in values:
                values[name] = section(kind, _given(values[name]), name)
        return section(
            TrainConfig, {**values, 'model': model_config_from_dict({**base, **model})}, 'recipe'
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path}: {error}') from error
