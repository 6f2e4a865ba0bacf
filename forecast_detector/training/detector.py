"""Phase 1: train backbone, neck and head as a single-frame detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import time
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from ..data.base import ClipDataset
from ..model.fuse import fuse_norms
from ..model.network import ForecastNetwork
from .config import TrainConfig
from .losses import assign, detection_losses
from .optim import adamw, moving_average, one_cycle
from .samples import StillSampler

SAVE_EVERY_S = 180.0
LOG_EVERY = 20
Log = Callable[[dict[str, Any]], None]


def hold_norms(module: nn.Module) -> None:
    """Keep batch norms at their stored statistics: batches here are small and look alike."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.eval()


def train_detector(
    network: ForecastNetwork,
    dataset: ClipDataset,
    config: TrainConfig,
    device: torch.device,
    state_file: Path,
    log: Log,
) -> ForecastNetwork:
    """
    Train the parts that a single frame needs; returns the network with averaged weights.

    :param state_file: written every few minutes; training resumes from it where it exists.
    :raises RuntimeError: if the loss is no longer finite; names the step.
    """
    recipe = config.detector
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = network.backbone.stages[:recipe.frozen_stages]
    frozen.requires_grad_(False)
    fused = nn.Sequential(*fuse_norms(frozen))
    optimizer = adamw(
        [([network.neck, network.head], recipe.lr), ([network.backbone], recipe.backbone_lr)],
        recipe.weight_decay,
    )
    lr_schedule = one_cycle(optimizer, recipe.steps)
    average = moving_average(network, recipe.ema)
    parts = {'network': network, 'average': average, 'optimizer': optimizer,
             'lr_schedule': lr_schedule}
    first = load_state(state_file, parts)
    anchors = network.anchors(config.model.input_size)
    sampler = StillSampler(
        dataset, config.model.input_size, recipe.mosaic, recipe.turns, config.seed
    )
    network.train()
    hold_norms(network.backbone)
    saved = time.monotonic()
    bar = tqdm(total=recipe.steps, initial=first, desc='detector', unit='step')
    for step, (images, targets) in enumerate(
        sampler.batches(recipe.batch_size, first, recipe.steps), first
    ):
        with torch.no_grad():
            early = fused(network.backbone.normalize(images.to(device).float()))
        features = network.neck(network.backbone(early, first=recipe.frozen_stages))
        head = network.head(features)
        assigned = assign(targets, anchors, recipe.match_iou).to(device)
        loc, cls = detection_losses(head, assigned)
        loss = config.loss.localisation * loc + config.loss.classification * cls
        if not torch.isfinite(loss):
            raise RuntimeError(
                f'the loss is {loss.item()} at step {step}: lower the learning rate'
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        lr_schedule.step()
        average.update_parameters(network)
        bar.update()
        if step % LOG_EVERY == 0:
            rate = bar.format_dict['rate'] or 0.0
            values = {'phase': 'detector', 'step': step, 'loc': loc.item(), 'cls': cls.item(),
                      'lr': lr_schedule.get_last_lr()[0],
                      'images_per_s': rate * recipe.batch_size}
            bar.set_postfix(loc=f'{loc.item():.2f}', cls=f'{cls.item():.2f}')
            log(values)
        if time.monotonic() - saved > SAVE_EVERY_S:
            save_state(state_file, parts, step + 1)
            saved = time.monotonic()
    save_state(state_file, parts, recipe.steps)
    network.load_state_dict(average.module.state_dict())
    return network.requires_grad_(True)


def save_state(path: Path, parts: dict[str, Any], step: int) -> None:
    """Write everything that resuming needs, whole or not at all."""
    state = {name: part.state_dict() for name, part in parts.items()}
    scratch = path.with_suffix('.tmp')
    torch.save({'step': step, **state}, scratch)
    scratch.replace(path)


def load_state(path: Path, parts: dict[str, Any]) -> int:
    """Restore what :func:`save_state` wrote; returns the step to go on with (0 if none)."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True, map_location='cpu')
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state['step'])
