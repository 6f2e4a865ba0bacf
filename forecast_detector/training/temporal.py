"""Phase 2: train encoders, scheduler and head on sequences of cached features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
import torch.nn.functional as F

from ..engine.memory import detach
from ..engine.recurrence import advance, LearnedForecast, schedule, seen
from ..model.network import ForecastNetwork
from . import distributed
from .config import TrainConfig
from .detector import hold_norms
from .feature_bank import draw_sequences, Segment, SequenceBatch
from .losses import assign, detection_losses
from .optim import adamw, delayed_cycles
from .phase import Phase, PhaseSetup
from .recipes import TemporalRecipe
from .success import decision_loss, forecast_serves


class Unrolled(NamedTuple):
    """
    A batch of sequences run through the encoders, time first.

    :ivar seen: what the detector sees, (n, B, C, H, W).
    :ivar expected: F of the next frame, should it be a FORECAST, (n, B, C, H, W).
    :ivar scheduler_logits: (n, B, 2).
    """

    seen: Tensor
    expected: Tensor
    scheduler_logits: Tensor


def unroll(
    network: ForecastNetwork,
    features: Tensor,
    previews: Tensor | None,
    recipe: TemporalRecipe,
    forecast_share: float,
    generator: torch.Generator,
) -> Unrolled:
    """
    Run the paper's step over a batch of sequences, with the draws of training.

    :param features: read features, (B, n + 1, C, H, W); the last frame is only a target.
    :param previews: features of the thumbnails, (B, n + 1, L, H, W), for a network that peeks.
    :param forecast_share: probability that a step goes on from its own forecast.
    """
    batch, length = features.shape[:2]
    choices, own = _draws(recipe, batch, length - 1, forecast_share, generator, features.device)
    forecaster = LearnedForecast(network)
    state, expected = None, None
    shown: list[Tensor] = []
    followed: list[Tensor] = []
    logits: list[Tensor] = []
    for t in range(length - 1):
        current = features[:, t]
        if expected is not None:
            current = torch.where(own[t], expected.features, current)
            if recipe.truncate and t % recipe.truncate == 0:
                state = detach(state)
        memory = advance(network, current, state, frame_of(previews, t))
        state = memory.state
        options = torch.stack([current, memory.converted, seen(network, memory)])
        shown.append(options.gather(0, choices[t].expand_as(current).unsqueeze(0))[0])
        expected = forecaster.expect(memory, frame_of(previews, t + 1))
        followed.append(expected.features)
        logits.append(schedule(network, expected, recipe.detach_scheduler))
    return Unrolled(torch.stack(shown), torch.stack(followed), torch.stack(logits))


def frame_of(sequences: Tensor | None, t: int) -> Tensor | None:
    """Take a frame of every sequence, where there are any."""
    return None if sequences is None else sequences[:, t]


def _draws(
    recipe: TemporalRecipe, batch: int, steps: int, forecast_share: float,
    generator: torch.Generator, device: torch.device,
) -> tuple[Tensor, Tensor]:
    """
    Draw what the detector sees, and which steps go on from their own forecast.

    Drawn for the whole batch, also where this process has only its share of it.

    :returns: (steps, batch, 1, 1, 1) each.
    """
    probabilities = torch.tensor(recipe.seen, dtype=torch.float32)
    whole = batch * distributed.world()
    choices = torch.multinomial(probabilities, whole * steps, True, generator=generator)
    choices = distributed.own_part(choices.view(steps, whole, 1, 1, 1), 1)
    own = torch.rand(steps, whole, 1, 1, 1, generator=generator) < forecast_share
    return choices.to(device), distributed.own_part(own, 1).to(device)


def train_temporal(
    network: ForecastNetwork, bank: list[Segment], setup: PhaseSetup
) -> ForecastNetwork:
    """
    Train the encoders, the head and, later, the scheduler; returns averaged weights.

    Backbone and neck stay as they are: the features are cached.

    :raises RuntimeError: if the loss is no longer finite; names the step.
    """
    config, device, recipe = setup.config, setup.device, setup.config.temporal
    network = network.to(device)
    network.backbone.requires_grad_(False)
    for neck in network.necks:
        neck.requires_grad_(False)
    optimizer = adamw(
        [
            ([network.encoder1, network.encoder2, *([network.peek] if network.peek else [])],
             recipe.lr),
            ([network.head], recipe.head_lr),
            ([network.scheduler], recipe.scheduler_lr),
        ],
        recipe.weight_decay,
    )
    # Two parameter groups a part: with weight decay, and without.
    starts = [0.0, 0.0, recipe.scheduler_from]
    lr_schedule = delayed_cycles(optimizer, [s for s in starts for _ in range(2)], recipe.steps)
    phase = Phase(
        network, optimizer, lr_schedule, recipe.ema, config, setup.state, recipe.precision
    )
    anchors = network.anchors(config.model.input_size)
    network.train()
    hold_norms(network.head)
    for step in phase.steps('temporal', recipe.steps, recipe.batch_size * (recipe.frames + 1)):
        unthinned = step >= recipe.steps * (1 - recipe.unthinned_share)
        batch = draw_sequences(
            bank,
            recipe.batch_size,
            recipe.frames + 1,
            0 if unthinned else recipe.thinning,
            (config.seed, 1, step),
        )
        with phase.autocast():
            progress = step / recipe.steps
            losses = sequence_losses(
                network, batch, config, anchors, step, progress,
                progress >= recipe.scheduler_from, device,
            )
            total = weighted_sum(losses)
        phase.update(step, total, batch.clips)
        phase.report(step, setup.log, {name: value for name, (_, value) in losses.items()})
    phase.finish(recipe.steps)
    return network


def sequence_losses(
    network: ForecastNetwork,
    batch: SequenceBatch,
    config: TrainConfig,
    anchors: Tensor,
    step: int,
    progress: float,
    decides: bool,
    device: torch.device,
) -> dict[str, tuple[float, Tensor]]:
    """
    Compute the terms of Eq. 1 on a batch, each with its weight.

    :param step: what is drawn follows from it and the recipe's seed.
    :param progress: share of the training that is done: forecasts are fed back more and more.
    :param decides: whether the scheduler trains yet.
    """
    recipe, weights = config.temporal, config.loss
    features = batch.features.to(device)
    previews = None if batch.previews is None else batch.previews.to(device)
    share = recipe.forecast_share * min(1.0, 2 * progress)
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    run = unroll(network, features, previews, recipe, share, generator)
    length = len(run.seen)
    # Time first, then batch, as the unrolled maps lie.
    now = [targets[t] for t in range(length) for targets in batch.targets]
    assigned = assign(now, anchors, config.detector.match_iou).to(device)
    loc, cls = detection_losses(network.detect(run.seen.flatten(0, 1)), assigned)
    # Without a gradient: else the backbone learns features that are easy to forecast.
    following = features[:, 1:].transpose(0, 1).detach()
    losses = {
        'localisation': (weights.localisation, loc),
        'classification': (weights.classification, cls),
        'forecast': (weights.forecast, F.mse_loss(run.expected, following)),
    }
    nexts = [targets[t + 1] for t in range(length) for targets in batch.targets]
    if weights.forecast_detection:
        assigned = assign(nexts, anchors, config.detector.match_iou).to(device)
        on_forecasts = detection_losses(network.detect(run.expected.flatten(0, 1)), assigned)
        total = torch.stack(on_forecasts).sum()
        losses['forecast_detection'] = (weights.forecast_detection, total)
    if decides:
        serves = forecast_serves(
            network,
            run.expected.detach().flatten(0, 1),
            following.flatten(0, 1) if recipe.relative else None,
            nexts,
            network.decoding(config.model.input_size),
            recipe,
        )
        decision = decision_loss(run.scheduler_logits.flatten(0, 1), serves.to(device))
        losses['decision'] = (weights.decision, decision)
    return losses


def weighted_sum(losses: dict[str, tuple[float, Tensor]]) -> Tensor:
    """Add the terms of :func:`sequence_losses` up, in single precision."""
    return torch.stack([weight * value.float() for weight, value in losses.values()]).sum()
