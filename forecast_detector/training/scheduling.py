"""Phase 3: train the scheduler alone, on streams that it steers itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..engine.memory import where
from ..engine.recurrence import advance, LearnedForecast, schedule, seen
from ..engine.rules import in_run, serves
from ..model.network import ForecastNetwork
from ..postprocess import Decoding
from . import distributed
from .config import TrainConfig
from .feature_bank import draw_sequences, Segment
from .losses import Target
from .optim import adamw, one_cycle
from .phase import Phase, PhaseSetup
from .recipes import SchedulerRecipe
from .success import decision_loss, forecast_serves, UNKNOWN
from .temporal import frame_of


def train_scheduler(
    network: ForecastNetwork, bank: list[Segment], setup: PhaseSetup
) -> ForecastNetwork:
    """
    Teach the scheduler what becomes of streams that follow it, at every threshold.

    Sequences of training go on from few forecasts in a row. A scheduler that never saw a longer
    run trusts it; here each stream draws a p and goes where the scheduler sends it.

    :raises RuntimeError: if the loss is no longer finite; names the step.
    """
    config, device, recipe = setup.config, setup.device, setup.config.scheduler
    network = network.to(device).eval()
    network.requires_grad_(False)
    network.scheduler.requires_grad_(True)
    optimizer = adamw([([network.scheduler], recipe.lr)], recipe.weight_decay)
    schedule = one_cycle(optimizer, recipe.steps)
    phase = Phase(network, optimizer, schedule, recipe.ema, config, setup.state)
    decoding = network.decoding(config.model.input_size)
    longest = max(len(segment) for segment in bank)
    for step in phase.steps('scheduler', recipe.steps, recipe.batch_size * (recipe.frames + 1)):
        rng = np.random.default_rng((config.seed, 3, step))
        # Strides up to one of the step's own, and no stream longer than its segment at that one.
        largest = 1 + int(rng.integers(recipe.thinning + 1))
        frames = max(1, min(recipe.frames, (longest - 1) // largest))
        batch = draw_sequences(
            bank, recipe.batch_size, frames + 1, largest - 1, (config.seed, 2, step), recipe.cut
        )
        p = distributed.own_part(draw_thresholds(recipe, rng).to(device))
        previews = None if batch.previews is None else batch.previews.to(device)
        logits, labels, reads = follow(
            network, batch.features.to(device), previews, batch.targets, p, decoding, config
        )
        loss = decision_loss(logits, labels)
        phase.update(step, loss, batch.clips)
        phase.report(step, setup.log, {
            'decision': loss, 'serves': (labels == 1).sum() / (labels != UNKNOWN).sum().clamp(1),
            'read_share': reads,
        })
    phase.finish(recipe.steps)
    return network


def draw_thresholds(recipe: SchedulerRecipe, rng: np.random.Generator) -> Tensor:
    """Draw p for each stream, (B,). -log p, about the length of a run, is log-uniform."""
    low, high = (np.log(-np.log(p)) for p in recipe.p)
    return torch.from_numpy(np.exp(-np.exp(rng.uniform(high, low, recipe.batch_size)))).float()


def follow(
    network: ForecastNetwork,
    features: Tensor,
    previews: Tensor | None,
    targets: list[list[Target]],
    p: Tensor,
    decoding: Decoding,
    config: TrainConfig,
) -> tuple[Tensor, Tensor, float]:
    """
    Run streams as inference would, and judge every forecast, against reading or by the truth.

    p bounds the product of the confidences since the last READ, see
    :func:`~forecast_detector.engine.rules.in_run`.

    :param features: read features, (B, n + 1, C, H, W); ``previews``: as in ``unroll``.
    :param p: threshold of each stream, (B,).
    :returns: scheduler logits, (n B, 2); labels, (n B,); share of READs.
    """
    forecaster = LearnedForecast(network)
    read = torch.ones(len(p), dtype=torch.bool, device=p.device)
    expected, state, trust = features[:, 0], None, torch.ones_like(p)
    logits, labels, reads = [], [], 0.0
    for t in range(features.shape[1] - 1):
        reads += read.float().mean().item()
        with torch.no_grad():
            current = where(read, features[:, t], expected)
            memory = advance(network, current, state, frame_of(previews, t))
            state = memory.state
            judged = forecaster.expect(memory, frame_of(previews, t + 1))
            expected = judged.features
            labels.append(
                forecast_serves(
                    network,
                    as_seen(network, expected, state),
                    as_seen(network, features[:, t + 1], state)
                    if config.temporal.relative else None,
                    [clip[t + 1] for clip in targets],
                    decoding,
                    config.temporal,
                )
            )
        logits.append(schedule(network, judged))
        trust = in_run(torch.softmax(logits[-1].detach(), dim=1)[:, 1], trust)
        read = ~serves(trust, p)
        trust = trust.masked_fill(read, 1.0)
    share = reads / (features.shape[1] - 1)
    return torch.cat(logits), torch.cat(labels).to(p.device), share


def as_seen(network: ForecastNetwork, features: Tensor, state: Any) -> Tensor:
    """Make what the detector would see of a frame with these features, its state not kept."""
    combined: Tensor = seen(network, advance(network, features, state))
    return combined
