"""Phase 1: train backbone, neck and head as a single-frame detector."""

from __future__ import annotations

import torch
from torch import nn

from ..data.base import ClipDataset
from ..model.fuse import fuse_norms
from ..model.network import ForecastNetwork
from .losses import assign, detection_losses
from .optim import adamw, one_cycle
from .phase import Phase, PhaseSetup
from .samples import StillSampler


def hold_norms(module: nn.Module) -> None:
    """Keep batch norms at their stored statistics: batches here are small and look alike."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.eval()


def train_detector(
    network: ForecastNetwork, dataset: ClipDataset, setup: PhaseSetup
) -> ForecastNetwork:
    """
    Train the parts that a single frame needs; returns the network with averaged weights.

    :raises RuntimeError: if the loss is no longer finite; names the step.
    """
    config, device, recipe = setup.config, setup.device, setup.config.detector
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = network.backbone.stages[:recipe.frozen_stages]
    frozen.requires_grad_(False)
    fused = nn.Sequential(*fuse_norms(frozen))
    optimizer = adamw(
        [
            ([*network.necks, network.head], recipe.lr),
            ([network.backbone], recipe.backbone_lr),
        ],
        recipe.weight_decay,
    )
    phase = Phase(
        network, optimizer, one_cycle(optimizer, recipe.steps), recipe.ema, config, setup.state,
        recipe.precision,
    )
    anchors = network.anchors(config.model.input_size)
    sampler = StillSampler(dataset, config.model, recipe, config.seed)
    network.train()
    hold_norms(network.backbone)
    steps = phase.steps('detector', recipe.steps, recipe.batch_size)
    batches = sampler.batches(recipe.batch_size, phase.first, recipe.steps)
    for step, batch in zip(steps, batches):
        with phase.autocast():
            with torch.no_grad():
                early = fused(network.backbone.normalize(batch.images.to(device).float()))
            features = network.merge(network.backbone_maps(early, recipe.frozen_stages))
            assigned = assign(batch.targets, anchors, recipe.match_iou).to(device)
            loc, cls = detection_losses(network.detect(features), assigned)
        total = config.loss.localisation * loc + config.loss.classification * cls
        phase.update(step, total, batch.clips)
        phase.report(step, setup.log, {'loc': loc, 'cls': cls})
    phase.finish(recipe.steps)
    return network
