"""Phase ``scheduler``: it learns how much goes wrong in a forecast."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn, Tensor
import torch.nn.functional as F
from tqdm import tqdm

from ...boxes import iou
from ...engine.recurrence import advance, LearnedForecast
from ...kept import Kept, SmallPicture
from ...layout import array
from ...model.yolox.network import YoloxNetwork
from ...model.yolox.preview import PICTURE, Preview
from ...model.yolox.temporal import MapScheduler
from ...types import Detections
from .. import interrupt
from ..logs import Log
from .part import phase_of
from .readings import Readings
from .recipe import DistillConfig, JudgeRecipe

ROLLOUTS_AT_ONCE = 8


class Lessons(NamedTuple):
    """
    What the scheduler sees of runs of forecasts, and what went wrong in them.

    :ivar objects: (runs, frames, 3, h, w); ``staleness``: (runs, frames, 2, h, w).
    :ivar surprise: (runs, frames, 3, h, w).
    :ivar errors: objects missed and made up, (runs, frames).
    """

    objects: Tensor
    staleness: Tensor
    surprise: Tensor
    errors: Tensor


def train_scheduler(
    network: YoloxNetwork, readings: Readings, config: DistillConfig, state: Path, log: Log
) -> None:
    """
    Train the scheduler alone, on runs of forecasts made beforehand.

    The errors of a forecast are taken for counts (Poisson). Its confidence is the probability of
    none, so the product that the engine compares with p falls with all that a run has got wrong so
    far. It falls on while an object stays lost: where little can go wrong a READ comes later, but
    it comes.

    :param state: file to resume from.
    :raises ValueError: for a network without a scheduler.
    """
    if not isinstance(network.scheduler, MapScheduler):
        raise ValueError('model.scheduler: phase scheduler trains it, and it is 0; set channels')
    recipe = config.scheduler
    phase = phase_of(network, [([network.scheduler], recipe.lr)], recipe, config, state)
    if phase.first < recipe.steps or recipe.shrinkage:
        lessons = make_lessons(network, readings, recipe, config.seed)
    for step in phase.steps('scheduler', recipe.steps, recipe.batch_size * recipe.frames):
        rng = np.random.default_rng([config.seed, step, 1])
        loss = run_loss(network.scheduler, _draw(rng, lessons, recipe.batch_size), recipe)
        phase.update(step, loss)
        phase.report(step, log, {'decision': loss})
    phase.finish(recipe.steps)
    if recipe.shrinkage:
        shrink(network.scheduler, lessons, recipe.shrinkage)
    be_patient(network.scheduler, recipe.patience)


@torch.no_grad()
def shrink(scheduler: MapScheduler, lessons: list[Lessons], by: float) -> None:
    """
    Draw the judgements of a scheduler towards their mean.

    :param lessons: over which the mean is taken, of the difference of the logits.
    :param by: how far, in [0, 1].
    """
    device = next(scheduler.parameters()).device
    differences = [
        logits[:, 1] - logits[:, 0] for some in lessons
        for logits in [scheduler(*(part.flatten(0, 1).to(device) for part in some[:3]))]
    ]
    scheduler.fc.weight.mul_(1 - by)
    scheduler.fc.bias.mul_(1 - by)
    scheduler.fc.bias[1].add_(by * torch.cat(differences).mean())


@torch.no_grad()
def be_patient(scheduler: MapScheduler, times: float) -> None:
    """
    Multiply the odds that a forecast serves.

    Where few errors are expected that divides them; a cut stays a cut, as -log of a confidence
    falls by log(``times``) at most.
    """
    scheduler.fc.bias[1].add_(math.log(times))


def _draw(rng: np.random.Generator, lessons: list[Lessons], count: int) -> Lessons:
    """Draw lessons that fit in a batch, any of all alike often."""
    sizes = np.array([len(some.errors) for some in lessons])
    some = lessons[int(rng.choice(len(lessons), p=sizes / sizes.sum()))]
    chosen = torch.from_numpy(rng.integers(0, len(some.errors), count))
    return Lessons(*(part[chosen] for part in some))


def run_loss(scheduler: nn.Module, lessons: Lessons, recipe: JudgeRecipe) -> Tensor:
    """Give the negative log likelihood of the errors of runs, up to a constant."""
    # Lessons wait on the CPU; there are many.
    device = next(scheduler.parameters()).device
    seen = (part.flatten(0, 1).to(device) for part in lessons[:3])
    errors = lessons.errors.to(device)
    logits = scheduler(*seen).view(*errors.shape, 2)
    # -log softmax of FORECAST.
    expected = F.softplus(logits[..., 0] - logits[..., 1]) + 1e-4
    return (expected - errors / recipe.errors * expected.log()).mean()


@torch.no_grad()
def make_lessons(
    network: YoloxNetwork, readings: Readings, recipe: JudgeRecipe, seed: int
) -> list[Lessons]:
    """
    Forecast run after run, and count what goes wrong.

    :returns: one entry for each size of maps.
    :raises InterruptedTraining: if a signal asked to stop.
    """
    rng = np.random.default_rng([seed, 2])
    of_size: dict[tuple[int, ...], list[Lessons]] = {}
    with tqdm(total=recipe.rollouts, desc='runs of forecasts', unit='run') as bar:
        while bar.n < recipe.rollouts:
            count = min(ROLLOUTS_AT_ONCE, recipe.rollouts - bar.n)
            runs = readings.draw(rng, count, recipe.frames, recipe.thinning, recipe.cut)
            made = follow_runs(network, readings, runs, recipe)
            of_size.setdefault(made.objects.shape[2:], []).append(made)
            bar.update(count)
            interrupt.stop_if_requested('between two runs of forecasts')
    return [Lessons(*(torch.cat(parts) for parts in zip(*some))) for some in of_size.values()]


def follow_runs(
    network: YoloxNetwork, readings: Readings, runs: np.ndarray, recipe: JudgeRecipe
) -> Lessons:
    """Carry the boxes of some READs along side by side, as streams do it; F rests."""
    forecaster = LearnedForecast(network)
    memory = advance(network, readings.features(runs[0]), preview=readings.previews(runs[0]))
    pictures = small_pictures(network, readings.previews(runs[0]))
    kept = [
        Kept().read(readings.detections[frame], picture)
        for frame, picture in zip(runs[0], pictures)
    ]
    seen, errors = [], []
    for frames in runs[1:]:
        preview, before = readings.previews(frames), memory.preview
        expected = forecaster.expect(memory, preview)
        moving = expected.features
        seen.append((moving.objects, moving.staleness, expected.surprise))
        motion, pictures = array(network.motion(moving)), small_pictures(network, preview)
        kept = [one.moved(*now) for one, *now in zip(kept, pictures, motion)]
        errors.append([
            count_errors(own.doubted(), readings.detections[frame], recipe)
            for own, frame in zip(kept, frames)
        ])
        memory = advance(network, forecaster.rest(moving), None, preview, before)
    objects, staleness, surprise = (torch.stack(part, dim=1).cpu() for part in zip(*seen))
    counts = torch.tensor(errors, dtype=torch.float32).t()
    return Lessons(objects, staleness, surprise, counts)


def small_pictures(network: YoloxNetwork, previews: Preview) -> list[SmallPicture]:
    """Give what motion is measured on; boxes are in pixels of the network's input."""
    scale = np.full(2, PICTURE, np.float32)
    grey, blurred = (array(one)[..., 0] for one in network.grey(previews))
    return [SmallPicture(*pair, scale) for pair in zip(grey, blurred)]


def count_errors(found: Detections, reading: Detections, recipe: JudgeRecipe) -> int:
    """
    Count objects that a forecast misses, and those that it makes up.

    Scores that waver around a threshold are no errors: what has to be found, and what has to
    confirm, differ.
    """
    overlaps = iou(found.boxes, reading.boxes) * (found.labels[:, None] == reading.labels)
    same = overlaps >= recipe.iou
    wanted = reading.scores >= recipe.reference_score
    claimed = found.scores >= recipe.false_score
    good, there = found.scores >= recipe.found_score, reading.scores >= recipe.found_score
    missed = wanted & ~(same & good[:, None]).any(axis=0)
    made_up = claimed & ~(same & there[None]).any(axis=1)
    return int(missed.sum() + made_up.sum())
