"""The paper's training: sequences of images, end to end through the backbone (section 3.4)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..data.base import ClipDataset
from ..model.network import ForecastNetwork
from .clip_batches import ClipSampler
from .detector import hold_norms
from .feature_bank import SequenceBatch
from .optim import epoch_decays, sgd
from .phase import Phase, PhaseSetup
from .sequence_recipe import SequenceRecipe
from .temporal import sequence_losses, weighted_sum


def train_baseline(
    network: ForecastNetwork, videos: ClipDataset, stills: ClipDataset | None, setup: PhaseSetup
) -> ForecastNetwork:
    """
    Phase 1 of section 4.2: train the recurrent SSDLite that the modules are injected into.

    :param network: gets its backbone, neck and head; its encoders stay as they are.
    :returns: the baseline itself, a network of its own with combination ``recurrent``.
    """
    config = setup.config
    baseline = ForecastNetwork(replace(network.config, combination='recurrent'))
    transplant(network, baseline)
    # It sees what its one encoder gives, and forecasts and schedules nothing.
    alone = replace(
        config,
        model=baseline.config,
        temporal=replace(config.temporal, seen=(0.0, 1.0, 0.0), forecast_share=0.0),
        loss=replace(config.loss, forecast=0.0, decision=0.0),
    )
    recipe = replace(config.baseline, scheduler_from=config.baseline.epochs + 1)
    sampler = ClipSampler(videos, stills, recipe, config.model, config.seed)
    train_sequences('baseline', baseline, sampler, recipe, replace(setup, config=alone))
    transplant(baseline, network)
    return baseline


def train_joint(
    network: ForecastNetwork, videos: ClipDataset, stills: ClipDataset | None, setup: PhaseSetup
) -> ForecastNetwork:
    """
    Phase 2 of section 4.2: train everything together; the scheduler joins late.

    :returns: the network with averaged weights.
    """
    config = setup.config
    sampler = ClipSampler(videos, stills, config.joint, config.model, config.seed + 1)
    train_sequences('joint', network, sampler, config.joint, setup)
    return network


def transplant(source: ForecastNetwork, target: ForecastNetwork) -> None:
    """Copy backbone, necks and head from a network to another of the same ones."""
    parts = [(network.backbone, *network.necks, network.head) for network in (source, target)]
    for own, other in zip(*parts):
        other.load_state_dict(own.state_dict())


def train_sequences(
    name: str, network: ForecastNetwork, sampler: ClipSampler, recipe: SequenceRecipe,
    setup: PhaseSetup,
) -> None:
    """
    Train a network on clips, all parts at once, each at its own learning rate.

    :raises RuntimeError: if the loss is no longer finite; names the step and the clips.
    """
    config, device = setup.config, setup.device
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = sgd(
        [
            ([network.encoder1, network.encoder2], recipe.lr),
            ([network.backbone, *network.necks, network.head], recipe.detector_lr),
            ([network.scheduler], recipe.scheduler_lr),
        ],
        recipe.momentum,
        recipe.weight_decay,
    )
    lr_schedule = epoch_decays(
        optimizer,
        [
            (1, recipe.decay_epochs),
            (1, recipe.decay_epochs),
            (recipe.scheduler_from, recipe.scheduler_decay_epochs),
        ],
        recipe.decay,
        sampler.steps_per_epoch,
    )
    phase = Phase(
        network, optimizer, lr_schedule, recipe.ema, config, setup.state, recipe.precision
    )
    anchors = network.anchors(config.model.input_size)
    prepare(network, trained=name != 'baseline')
    frames = recipe.batch_size * (recipe.frames + 1)
    batches = sampler.batches(phase.first, setup.workers)
    for step, batch in zip(phase.steps(name, sampler.steps, frames), batches):
        epoch = step // sampler.steps_per_epoch + 1
        with phase.autocast():
            features = read_clips(network, batch.images.to(device), recipe.recompute)
            losses = sequence_losses(
                network, SequenceBatch(features, batch.targets), config, anchors, step,
                step / sampler.steps, epoch >= recipe.scheduler_from, device,
            )
            total = weighted_sum(losses)
        phase.update(step, total, batch.clips)
        phase.report(step, setup.log, {
            'loss': total, 'epoch': epoch,
            **{key: value for key, (_, value) in losses.items()},
        })
    phase.finish(sampler.steps)


def prepare(network: ForecastNetwork, trained: bool) -> None:
    """
    Set modes: what is new learns its norms, what has been trained keeps their statistics.

    The frames of a batch look alike, and the backbone's statistics are ImageNet's.

    :param trained: whether necks and head have been.
    """
    network.train()
    hold_norms(network.backbone)
    if trained:
        for neck in network.necks:
            hold_norms(neck)
        hold_norms(network.head)


def read_clips(network: ForecastNetwork, images: Tensor, recompute: int) -> Tensor:
    """
    Read F of every frame, with gradients.

    :param images: (B, n, 3, H, W), uint8.
    :param recompute: see the recipe.
    :returns: (B, n, C, H/32, W/32).
    """
    flat = images.flatten(0, 1).float().contiguous(memory_format=torch.channels_last)

    def extract(part: Tensor) -> tuple[Tensor, ...]:
        return network.backbone_maps(network.backbone.normalize(part))

    if recompute:
        parts = [checkpoint(extract, part, use_reentrant=False) for part in flat.split(recompute)]
        maps = tuple(torch.cat(same) for same in zip(*parts))
    else:
        maps = extract(flat)
    # In single precision, so that the LSTMs' states, which are made like them, are too.
    features = network.merge(maps).float()
    return features.unflatten(0, images.shape[:2])
