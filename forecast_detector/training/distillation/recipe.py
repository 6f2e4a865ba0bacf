"""Recipes of training without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from ...checkpoint import check_info
from ...model.yolox.config import YoloxConfig
from ...settings import check_types
from ..ranges import check_ranges
from ..recipe_file import check_name, check_phases, section, settings, tuples, with_base

PHASES = ('forecast', 'end_to_end', 'scheduler')
# Of the backbone.
STAGES = 5


@dataclass(frozen=True)
class ForecastRecipe:
    """
    Phase ``forecast``: the correction of moved maps, in rollouts as long as streams forecast.

    :ivar steps: optimiser steps.
    :ivar batch_size: rollouts a step.
    :ivar frames: of the longest rollout; each step draws a length up to that.
    :ivar thinning: largest frame stride minus one.
    :ivar feature: weight of the maps' error (Eq. 2), more where objects are; the others are of
        the head's outputs, distilled: ``objects``, ``classes``, ``boxes`` and ``scores``.
    """

    steps: int = 3000
    batch_size: int = 6
    frames: int = 7
    thinning: int = 3
    lr: float = 1.5e-3
    weight_decay: float = 1e-4
    ema: float = 0.995
    feature: float = 1.0
    objects: float = 1.0
    classes: float = 0.5
    boxes: float = 2.0
    scores: float = 2.0

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        check_ranges(
            self,
            {'steps': 0, 'batch_size': 1, 'frames': 1, 'thinning': 0, 'lr': 0, 'weight_decay': 0,
             'feature': 0, 'objects': 0, 'classes': 0, 'boxes': 0, 'scores': 0},
            ('ema',),
        )


@dataclass(frozen=True)
class EndToEndRecipe(ForecastRecipe):
    """
    Phase ``end_to_end``: the correction and the reader, which reads the first frame of rollouts.

    What the reader was before teaches both what forecasts and what READs have to give. Settings
    of :class:`ForecastRecipe` have the same meaning here.

    :ivar steps: optimiser steps; 0 leaves the phase out, and the reader as it is.
    :ivar lr: peak learning rate of the correction; ``reader_lr``: of backbone, neck and head.
    :ivar frozen_stages: of the backbone's five, from the stem on, that stay as they are. With 0
        the stem learns, too, at a 255th of ``reader_lr``: its inputs reach up to that.
    :ivar read: weight of what READs give, whose errors are weighed among each other as those
        of forecasts are.
    """

    steps: int = 0
    batch_size: int = 4
    frames: int = 4
    lr: float = 3e-4
    reader_lr: float = 2e-5
    frozen_stages: int = 1
    ema: float = 0.99
    read: float = 4.0

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        super().__post_init__()
        check_ranges(self, {'reader_lr': 0, 'frozen_stages': 0, 'read': 0})
        if self.frozen_stages > STAGES:
            raise ValueError(
                f'frozen_stages: {self.frozen_stages} is above {STAGES}; the backbone has no more')


@dataclass(frozen=True)
class JudgeRecipe:
    """
    Phase ``scheduler``: how much of what reading finds a forecast gets wrong.

    The confidence in a forecast is exp(-expected errors / ``errors``), an error being an object
    missed or made up; that in a run of forecasts is their product. With p = 0.8 and 4 errors a
    READ comes where the run's forecasts are expected to have got 0.9 objects wrong together, times
    ``patience``.

    :ivar rollouts: how many runs of forecasts are made to learn from.
    :ivar frames: of each; ``thinning``: largest frame stride minus one.
    :ivar cut: probability that a run cuts to another clip on its way.
    :ivar reference_score: an object is there if reading gives it this score.
    :ivar found_score: it is found by a forecast of at least this score.
    :ivar false_score: a forecast of at least this score that reading does not find is an error.
    :ivar iou: overlap from which two boxes are of one object.
    :ivar shrinkage: how far, in [0, 1], judgements are drawn towards their mean after training:
        few clips teach a scheduler more about single frames than holds elsewhere. With 1 all
        forecasts are judged alike.
    :ivar patience: how many times as many errors a p stands for after training, where few are
        expected. It is not learned so, as training starts near one error in three forecasts.
    """

    steps: int = 1500
    batch_size: int = 32
    rollouts: int = 320
    frames: int = 12
    thinning: int = 3
    cut: float = 0.15
    lr: float = 2e-3
    weight_decay: float = 1e-3
    ema: float = 0.99
    errors: float = 4.0
    reference_score: float = 0.4
    found_score: float = 0.3
    false_score: float = 0.5
    iou: float = 0.5
    shrinkage: float = 0.0
    patience: float = 3.0

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        check_ranges(
            self,
            {'steps': 0, 'batch_size': 1, 'rollouts': 1, 'frames': 1, 'thinning': 0, 'lr': 0,
             'weight_decay': 0, 'errors': 0, 'patience': 1},
            ('cut', 'ema', 'reference_score', 'found_score', 'false_score', 'iou', 'shrinkage'),
        )


@dataclass(frozen=True)
class DistillConfig:
    """
    A whole recipe.

    :ivar model: shape of the network: that of the weights it starts from, and what is added.
    :ivar frames_a_clip: longer clips are cut to that, for memory; 0 takes all.
    """

    name: str
    model: YoloxConfig
    seed: int = 0
    phases: tuple[str, ...] = PHASES
    frames_a_clip: int = 360
    forecast: ForecastRecipe = field(default_factory=ForecastRecipe)
    end_to_end: EndToEndRecipe = field(default_factory=EndToEndRecipe)
    scheduler: JudgeRecipe = field(default_factory=JudgeRecipe)
    info: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """:raises ValueError: for settings that do not go together; provenance must be text."""
        check_ranges(self, {'seed': 0, 'frames_a_clip': 0})
        check_name(self.name)
        check_phases(self.phases, PHASES)
        check_info(self.info)

    @property
    def trains_reader(self) -> bool:
        """Whether READs change."""
        return 'end_to_end' in self.phases and self.end_to_end.steps > 0

    @property
    def unused(self) -> tuple[str, ...]:
        """Phases that shape nothing; runs began before there were these."""
        return () if self.trains_reader else ('end_to_end',)


SECTIONS: Mapping[str, type] = {
    'forecast': ForecastRecipe, 'end_to_end': EndToEndRecipe, 'scheduler': JudgeRecipe,
}
# What a recipe may say of the model: the rest is that of the weights.
ADDED = ('peek', 'correction', 'scheduler', 'trust')


def is_distillation(path: Path) -> bool:
    """Say whether a recipe trains without labels: it says ``teacher: itself``."""
    try:
        return 'teacher' in with_base(path)
    except (yaml.YAMLError, OSError, ValueError):
        # What is wrong with it is said where it is read.
        return False


def load_distill_config(path: Path, start: YoloxConfig) -> DistillConfig:
    """
    Read a recipe.

    :param start: shape of the weights that training starts from.
    :raises ValueError: for unknown keys or values outside their range; names the file.
    """
    try:
        values = with_base(path)
        teacher = values.pop('teacher', None)
        if teacher is None:
            raise ValueError(
                'this recipe learns from a truth, and is for forecast-detector train; without '
                'labels only YOLOX is trained, by a recipe that says teacher: itself, such as '
                'adapt or coco')
        if teacher != 'itself':
            raise ValueError(f"teacher: {teacher!r} is none of ['itself']")
        added = dict(settings(values.pop('model', {}), 'model'))
        unknown = sorted(set(added) - set(ADDED))
        if unknown:
            raise ValueError(f'model: unknown settings {unknown}; known are {sorted(ADDED)}')
        check_types(YoloxConfig, added)
        made: dict[str, Any] = {'model': replace(start, **tuples(added))}
        for name, kind in SECTIONS.items():
            if name in values:
                made[name] = section(kind, values.pop(name), name)
        return section(DistillConfig, {'name': path.stem, **values, **made}, 'recipe')
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise ValueError(f'{path}: {error}') from error
