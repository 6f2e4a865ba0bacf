"""Recipes of the phases on single frames and on cached features."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .precision import check_precision, Precision
from .ranges import check_ranges


@dataclass(frozen=True)
class DetectorRecipe:
    """
    Phase 1: backbone, neck and head on single frames.

    :ivar steps: optimiser steps.
    :ivar batch_size: images a step.
    :ivar lr: peak learning rate of neck and head (AdamW, one cycle).
    :ivar backbone_lr: peak learning rate of the trained backbone stages.
    :ivar frozen_stages: backbone stages, from the stem on, that keep their ImageNet weights.
    :ivar match_iou: overlap from which an anchor answers for an object (SSD: 0.5), in all phases.
    :ivar mosaic: share of images made of four crops around objects, at their own scale: four
        times the objects for the price of one image.
    :ivar turns: augment with quarter turns, for cameras that look down; cached features, too.
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
        """:raises ValueError: for a value outside its range."""
        check_ranges(
            self,
            {'steps': 1, 'batch_size': 1, 'frozen_stages': 0, 'lr': 0, 'backbone_lr': 0,
             'weight_decay': 0},
            ('match_iou', 'mosaic', 'ema'),
        )
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
    :ivar scheduler_from: share of the steps after which the scheduler trains (paper: 24/40); 1 is
        never.
    :ivar detach_scheduler: keep the decision loss from everything but the scheduler (the paper
        trains end to end).
    :ivar relative: ask of the forecast only the objects that reading would have found: a READ
        that fails too is wasted (the paper asks for all objects). Phase ``scheduler`` likewise.
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
        """:raises ValueError: for a value outside its range."""
        check_ranges(
            self,
            {'steps': 1, 'frames': 1, 'batch_size': 1, 'segments': 1, 'thinning': 0,
             'truncate': 0, 'scheduler_from': 0, 'lr': 0, 'head_lr': 0, 'scheduler_lr': 0,
             'weight_decay': 0},
            ('unthinned_share', 'forecast_share', 'success_iou', 'success_score',
             'false_alarm_score', 'ema'),
        )
        if min(self.seen) < 0 or sum(self.seen) <= 0:
            raise ValueError(f'seen: {self.seen}; expected three shares, of F, Ft and Fm')
        check_precision(self.precision)


@dataclass(frozen=True)
class SchedulerRecipe:
    """
    Phase 3: the scheduler alone, on streams that it steers. The paper has no such phase.

    :ivar steps: optimiser steps; 0 leaves the phase out.
    :ivar frames: length of a stream, beside the one extra frame; shorter in steps of large
        strides, since segments end.
    :ivar thinning: largest frame stride minus one. A step draws the largest one of its own, each
        of its streams a stride up to that.
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
        """:raises ValueError: for a value outside its range."""
        check_ranges(
            self,
            {'steps': 0, 'frames': 1, 'batch_size': 1, 'thinning': 0, 'lr': 0, 'weight_decay': 0},
            ('cut', 'ema'),
        )
        low, high = self.p
        if not 0 < low <= high < 1:
            raise ValueError(f'p: {[low, high]} is no range inside (0, 1)')


@dataclass(frozen=True)
class LossWeights:
    """
    The weights of Eq. 1, and one more.

    :ivar forecast_detection: of SSD's losses on the forecast map, against the objects of the
        frame that it forecasts; the paper has none.
    """

    localisation: float = 1.0
    classification: float = 1.0
    forecast: float = 1.0
    decision: float = 0.7
    forecast_detection: float = 0.0

    def __post_init__(self) -> None:
        """:raises ValueError: for a weight below 0."""
        check_ranges(self, {f.name: 0 for f in fields(self)})
