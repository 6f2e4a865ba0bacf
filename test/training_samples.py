"""What several test modules share: samples, and what makes them."""

from dataclasses import replace

from conftest import make_tiny_network, TINY
import torch

from forecast_detector.training.config import TrainConfig
from forecast_detector.training.detector import train_detector
from forecast_detector.training.end_to_end import train_baseline, train_joint
from forecast_detector.training.feature_bank import fill_bank
from forecast_detector.training.phase import PhaseSetup
from forecast_detector.training.recipes import (
    DetectorRecipe,
    SchedulerRecipe,
    TemporalRecipe,
)
from forecast_detector.training.scheduling import train_scheduler
from forecast_detector.training.sequence_recipe import SequenceRecipe
from forecast_detector.training.temporal import train_temporal

CPU = torch.device('cpu')


SHORT = SequenceRecipe(
    epochs=4, frames=2, batch_size=2, scheduler_from=2, decay_epochs=(2, 3),
    scheduler_decay_epochs=(3,), thinning=1, unthinned_epochs=1, ema=0.5, lr=1e-3,
)


LABELS = ('disc', 'square', 'triangle', 'ring', 'cross', 'bar')


def tiny_config(labels, **changes):
    config = TrainConfig(
        'tiny',
        replace(TINY, labels=labels),
        detector=DetectorRecipe(steps=4, batch_size=2, ema=0.5),
        baseline=replace(SHORT, lr=1e-2),
        joint=SHORT,
        temporal=TemporalRecipe(
            steps=4, frames=3, batch_size=2, segments=1, ema=0.5, forecast_share=0.5,
            scheduler_from=0.25, detach_scheduler=False,
        ),
        scheduler=SchedulerRecipe(steps=4, frames=3, batch_size=2),
    )
    return replace(config, **changes)


def ignore(values):
    pass


def run_phase(name, world, config, state, log=ignore, network=None, device=CPU):
    """Train one phase from the same tiny network; returns what it made."""
    network = network or make_tiny_network(labels=world.labels)
    setup = PhaseSetup(config, device, state, log)
    if name == 'detector':
        return train_detector(network, world, setup)
    if name == 'baseline':
        return train_baseline(network, world, None, setup)
    if name == 'joint':
        return train_joint(network, world, None, setup)
    bank = fill_bank(network, world, config.temporal, False, 0, device)
    phase = train_temporal if name == 'temporal' else train_scheduler
    return phase(network, bank, setup)
