"""How long a training will take on this machine, and fewer steps where that is too long."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
import json
from pathlib import Path
import time
from typing import Any, TypeVar

import numpy as np
import torch

from ..model.yolox.network import YoloxNetwork
from ..training.distillation.forecast import rollout_losses
from ..training.distillation.judging import follow_runs, Lessons, run_loss
from ..training.distillation.part import lengthen
from ..training.distillation.readings import Readings
from ..training.distillation.recipe import DistillConfig, ForecastRecipe, JudgeRecipe
from ..training.phase import fingerprint, load_state

T = TypeVar('T')
FILE = 'plan.json'
# States of the phases, as the trainer names them.
FORECAST, SCHEDULER = 'forecast.pt', 'scheduler.pt'
# Steps that are timed, behind one that is not.
TIMED = 3
# Averages and optimiser come on top of what is timed.
OVERHEAD = 1.15


@dataclass(frozen=True)
class Plan:
    """
    What is trained.

    :ivar config: the recipe, with as many steps as are taken.
    :ivar minutes: that all of them take, about.
    :ivar done: steps of phase ``forecast`` that an earlier run has taken.
    """

    config: DistillConfig
    minutes: float
    done: int = 0


def fitted(
    network: YoloxNetwork, readings: Readings, config: DistillConfig, minutes: float | None,
    state: Path,
) -> Plan:
    """
    Shorten a recipe to what fits into a time, by the speed of this machine.

    What was decided is kept beside the states: a run that goes on takes as many steps. A run of
    the same recipe with more steps or minutes goes on from the states, too.

    :param minutes: of training; None leaves the recipe as it is.
    :param state: folder of the states.
    :raises ValueError: if the states have taken more steps.
    """
    file = state / FILE
    asked: dict[str, Any] = {'recipe': fingerprint(config), 'minutes': minutes}
    kept = _read(file)
    if not kept or {key: kept.get(key) for key in asked} != asked:
        estimate = estimated_minutes(network, readings, config)
        share = 1.0 if minutes is None or estimate <= minutes else minutes / estimate
        alike = fingerprint(_without_lengths(config))
        if kept.get('alike') == alike:
            _go_on(state, scaled(config, share))
        kept = {**asked, 'alike': alike, 'share': share, 'estimate': share * estimate}
        file.write_text(json.dumps(kept))
    return Plan(scaled(config, kept['share']), kept['estimate'], _taken(state / FORECAST))


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, TypeError, ValueError):
        return {}


def _without_lengths(config: DistillConfig) -> DistillConfig:
    """Give what runs have in common of which one may go on where the other has ended."""
    return replace(config, forecast=replace(config.forecast, steps=0),
                   scheduler=replace(config.scheduler, steps=0, rollouts=1))


def _taken(file: Path) -> int:
    return int(load_state(file)['step']) if file.is_file() else 0


def _go_on(state: Path, config: DistillConfig) -> None:
    """Fit states of fewer steps to a recipe; the scheduler begins anew: forecasts will differ."""
    forecast, scheduler = state / FORECAST, state / SCHEDULER
    done, steps = _taken(forecast), config.forecast.steps
    if done > steps:
        raise ValueError(
            f'{state}: its forecasts were trained by {done} steps, and {steps} are asked for; ask '
            'for more (--steps, --minutes), or remove the folder to start anew')
    scheduler.unlink(missing_ok=True)
    if forecast.is_file():
        lengthen(forecast, config.forecast, config)


def leading(config: DistillConfig) -> ForecastRecipe | JudgeRecipe:
    """Give the phase whose steps are asked for: that of forecasts, where there is one."""
    return config.forecast if 'forecast' in config.phases else config.scheduler


def scaled(config: DistillConfig, share: float) -> DistillConfig:
    """Take a share of all steps and runs, or a multiple."""
    def part(count: int) -> int:
        return max(1, int(share * count)) if count else 0

    return replace(
        config, forecast=replace(config.forecast, steps=part(config.forecast.steps)),
        scheduler=replace(config.scheduler, steps=part(config.scheduler.steps),
                          rollouts=part(config.scheduler.rollouts)),
    )


def estimated_minutes(
    network: YoloxNetwork, readings: Readings, config: DistillConfig
) -> float:
    """Time a few steps on a copy of the network."""
    trial = deepcopy(network).eval().requires_grad_(False)
    total = 0.0
    if 'forecast' in config.phases and config.forecast.steps:
        total += config.forecast.steps * _step_seconds(trial, readings, config)
    if 'scheduler' in config.phases and config.scheduler.steps:
        total += _judging_seconds(trial, readings, config)
    return OVERHEAD * total / 60


def _judging_seconds(network: YoloxNetwork, readings: Readings, config: DistillConfig) -> float:
    """Time two runs of forecasts, and steps on a batch of copies of these."""
    recipe = config.scheduler
    runs = readings.draw(np.random.default_rng(config.seed), 2, recipe.frames, recipe.thinning)
    with torch.no_grad():
        run_s, lessons = _timed(network, lambda: follow_runs(network, readings, runs, recipe))
    copies = torch.arange(recipe.batch_size) % 2
    batch = Lessons(*(part[copies] for part in lessons))
    network.scheduler.requires_grad_(True)
    run_loss(network.scheduler, batch, recipe).backward()
    step_s, _ = _timed(
        network, lambda: run_loss(network.scheduler, batch, recipe).backward())
    return recipe.rollouts * run_s / 2 + recipe.steps * step_s


def _clock(network: YoloxNetwork) -> float:
    """Tell the time, in seconds, when what the network was given to do is done."""
    device = next(network.parameters()).device
    if device.type == 'cuda':  # it only takes down what is to be done
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _timed(network: YoloxNetwork, call: Callable[[], T]) -> tuple[float, T]:
    start = _clock(network)
    result = call()
    return _clock(network) - start, result


def _step_seconds(network: YoloxNetwork, readings: Readings, config: DistillConfig) -> float:
    """Time steps of phase ``forecast``, of the mean length."""
    if network.correction is None:
        return 0.0
    network.correction.requires_grad_(True)
    recipe, decoding = config.forecast, network.decoding(config.model.input_size)
    rng = np.random.default_rng(config.seed)
    length = (recipe.frames + 1) // 2
    start = 0.0
    for count in range(TIMED + 1):
        if count == 1:
            start = _clock(network)
        runs = readings.draw(rng, recipe.batch_size, length, recipe.thinning)
        losses = rollout_losses(network, decoding, readings, runs, recipe)
        torch.stack(list(losses.values())).sum().backward()
    seconds = _clock(network) - start
    network.correction.requires_grad_(False)
    return seconds / TIMED
