"""Recipe of the phases that train on sequences of images, end to end (section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from .precision import check_precision, Precision
from .ranges import check_ranges


@dataclass(frozen=True)
class SequenceRecipe:
    """
    One phase end to end through the backbone. The defaults are the paper's.

    How a sequence is unrolled and what the scheduler's labels ask is in the recipe's
    ``temporal`` section, for these phases too: ``seen``, ``forecast_share``, ``truncate``,
    ``detach_scheduler``, ``relative`` and what defines success; ``match_iou`` is in ``detector``.

    :ivar epochs: passes over the videos; an epoch has one clip of each.
    :ivar clips_per_video: clips of each video in an epoch.
    :ivar stills: clips made of still images in an epoch, as a share of the videos' clips.
    :ivar frames: length of a clip, beside the one extra frame: the last forecast's target.
    :ivar batch_size: clips a step, of all processes together.
    :ivar lr: of the encoders, to start with.
    :ivar detector_lr: of backbone, neck and head.
    :ivar scheduler_lr: of the scheduler.
    :ivar decay: factor of the learning rates from each of the epochs below on. Epochs count
        from 1.
    :ivar decay_epochs: for encoders, backbone, neck and head.
    :ivar scheduler_decay_epochs: for the scheduler.
    :ivar scheduler_from: epoch from which on the scheduler trains, with everything else.
    :ivar thinning: the paper's r: largest frame stride minus one.
    :ivar unthinned_epochs: last epochs, without thinning.
    :ivar recompute: read so many images at a time and compute them again in the backward pass,
        for GPUs that cannot hold a whole batch's activations; 0 keeps them all.
    :ivar ema: decay of the weights' moving average; 0 (the paper) is none.
    """

    epochs: int = 40
    clips_per_video: int = 1
    stills: float = 0.0
    frames: int = 10
    batch_size: int = 12
    lr: float = 1e-4
    detector_lr: float = 1e-2
    scheduler_lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay: float = 0.1
    decay_epochs: tuple[int, ...] = (18, 30)
    scheduler_decay_epochs: tuple[int, ...] = (30, 35)
    scheduler_from: int = 25
    thinning: int = 25
    unthinned_epochs: int = 2
    recompute: int = 0
    ema: float = 0.0
    precision: Precision = 'fp32'

    def __post_init__(self) -> None:
        """:raises ValueError: for a value outside its range."""
        check_ranges(self, {
            'epochs': 1, 'clips_per_video': 1, 'frames': 1, 'batch_size': 1, 'scheduler_from': 1,
            'stills': 0, 'thinning': 0, 'unthinned_epochs': 0, 'recompute': 0, 'lr': 0,
            'detector_lr': 0, 'scheduler_lr': 0, 'weight_decay': 0, 'decay': 0,
        }, ('momentum',))
        if not 0 <= self.ema < 1:
            raise ValueError(f'ema: {self.ema} is outside [0, 1)')
        check_precision(self.precision)
