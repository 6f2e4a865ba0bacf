"""One training phase: its steps, its figures, and resuming where a run stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
import signal
import time
from typing import Any

import torch
from torch import nn, Tensor
from tqdm import tqdm

from ..config import ModelConfig
from . import distributed, interrupt
from .config import TrainConfig
from .logs import Log
from .optim import moving_average
from .precision import MixedPrecision, Precision
from .run_facts import hash_facts

SAVE_EVERY_S = 180.0
LOG_EVERY = 20
MAX_GRADIENT_NORM = 10.0
NAMED_CLIPS = 12


def fingerprint(config: Any) -> str:
    """
    Hash everything of a recipe that shapes its run; provenance does not.

    Neither do phases named in its ``unused``: states that are older than a phase stay valid.
    """
    values = {key: value for key, value in asdict(config).items() if key != 'info'}
    for unused in getattr(config, 'unused', ()):
        del values[unused]
        values['phases'] = [name for name in values['phases'] if name != unused]
    return hash_facts(values)


def load_state(path: Path) -> dict[str, Any]:
    """
    Read a state that a phase has saved.

    :raises ValueError: if it is damaged.
    """
    try:
        return dict(torch.load(path, weights_only=True, map_location='cpu'))
    except Exception as error:  # whatever a damaged file raises
        raise ValueError(
            f'{path}: damaged, or no state of a training ({type(error).__name__}); remove it to '
            'start this phase anew'
        ) from error


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all."""
    scratch = path.with_suffix('.tmp')
    torch.save(dict(state), scratch)
    scratch.replace(path)


@dataclass(frozen=True)
class PhaseSetup:
    """
    What a phase is given beside its network and its data.

    :ivar state: written every few minutes; training resumes from it where it exists.
    :ivar workers: processes that prepare clips ahead, for the phases on images; 0 is this one.
    """

    config: TrainConfig
    device: torch.device
    state: Path
    log: Log
    workers: int = 0


class Phase:
    """
    Network, moving average, optimiser and learning rate schedule, saved and restored together.

    ::

        phase = Phase(network, optimizer, lr_schedule, ema, config, file, precision)
        for step in phase.steps('temporal', recipe.steps, images_per_step):
            with phase.autocast():
                losses = ...
            phase.update(step, total, clips)
            phase.report(step, log, losses)
        phase.finish(recipe.steps)

    With several processes each computes the losses of its share of the batch; gradients and
    figures are their average.

    :ivar first: the step to go on with; 0 in a new run.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_schedule: torch.optim.lr_scheduler.LRScheduler,
        ema: float,
        config: Any,
        state_file: Path,
        precision: Precision = 'fp32',
    ) -> None:
        """
        Take the parts, and go on from the state file where there is one.

        :param config: the whole recipe, a dataclass with the shape of the network as ``model``.
        :raises ValueError: if the file is of another recipe.
        """
        self._network, self._optimizer, self._lr_schedule = network, optimizer, lr_schedule
        # What an earlier phase left would count in the norm that gradients are clipped to.
        network.zero_grad(set_to_none=True)
        self._average = moving_average(network, ema)
        self._mixed = MixedPrecision(
            precision, next(network.parameters()).device,
            config.model if isinstance(config.model, ModelConfig) else None,
        )
        self.autocast = self._mixed.autocast
        self._parts: dict[str, Any] = {
            'network': network, 'average': self._average, 'optimizer': optimizer,
            'lr_schedule': lr_schedule, 'scaler': self._mixed.scaler,
        }
        self._file, self._fingerprint = state_file, fingerprint(config)
        self.first = self._restore()
        distributed.share_norms(network)
        self._saved_s = self._reported_s = time.monotonic()
        self._reported_step = self.first - 1
        self._bar: tqdm | None = None
        self._rates: dict[str, float] = {}
        self._name, self._images = '', 0
        interrupt.defer(True)

    def steps(self, name: str, last: int, images: int) -> Iterator[int]:
        """
        Count the steps that are left, with a bar.

        :param name: of the phase, for bar and log.
        :param last: the step before which the phase ends.
        :param images: images or frames a step, of all processes.
        """
        self._name, self._images = name, images
        with tqdm(total=last, initial=self.first, desc=name, unit='step',
                  disable=distributed.rank() > 0) as self._bar:
            for step in range(self.first, last):
                yield step
                self._bar.update()

    def update(self, step: int, loss: Tensor, clips: Sequence[str] = ()) -> None:
        """
        Take one optimiser step; the state is saved every few minutes.

        :param clips: names of the clips of the batch, for the error.
        :raises RuntimeError: if loss or gradient is not finite; names the step and the clips.
        :raises InterruptedTraining: if a signal asked to stop; the state is saved.
        """
        stop = interrupt.requested()
        # One message for both: every process has to end after the same step.
        facts = distributed.mean(torch.stack([loss.detach().float(),
                                              loss.new_tensor(stop or 0).float()]))
        if not torch.isfinite(facts[0]):
            raise RuntimeError(self._not_finite(step, 'loss', facts[0], clips))
        self._optimizer.zero_grad(set_to_none=True)
        scaler = self._mixed.scaler
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        distributed.average_gradients(self._network.parameters())
        scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), MAX_GRADIENT_NORM)
        # In fp16 the scaler passes over such a step and lowers its scale.
        if not scaler.is_enabled() and not torch.isfinite(norm):
            raise RuntimeError(self._not_finite(step, 'gradient', norm, clips))
        self._rates = self.learning_rates
        scaler.step(self._optimizer)
        scaler.update()
        self._lr_schedule.step()
        self._average.update_parameters(self._network)
        if facts[1] > 0:
            self.save(step + 1)
            raise self._interrupted(stop, f'after step {step}')
        if time.monotonic() - self._saved_s > SAVE_EVERY_S:
            self.save(step + 1)

    def _not_finite(self, step: int, what: str, value: Tensor, clips: Sequence[str]) -> str:
        names = sorted(set(clips))
        shown = ', '.join(names[:NAMED_CLIPS]) + (', …' if len(names) > NAMED_CLIPS else '')
        of = f' (clips: {shown})' if names else ''
        return (
            f'the {what} is {value.item()} at step {step}{of}: lower the learning rate, or look '
            'at these clips'
        )

    def report(self, step: int, log: Log, values: Mapping[str, Tensor | float]) -> None:
        """Log figures, every module's learning rate and images a second, every few steps."""
        if step % LOG_EVERY:
            return
        stacked = torch.stack([torch.as_tensor(v).detach().float().cpu() for v in values.values()])
        device = next(self._network.parameters()).device
        figures = dict(zip(values, distributed.mean(stacked.to(device)).tolist()))
        now = time.monotonic()
        images = (step - self._reported_step) * self._images
        rate = images / max(now - self._reported_s, 1e-9)
        self._reported_s, self._reported_step = now, step
        log({'phase': self._name, 'step': step, **figures, 'lr': self._rates,
             'images_per_s': round(rate, 2)})
        if self._bar is not None:
            self._bar.set_postfix({name: f'{value:.3f}' for name, value in figures.items()})

    def save(self, next_step: int) -> None:
        """Write everything that resuming needs, whole or not at all."""
        self._saved_s = time.monotonic()
        if distributed.rank() > 0:
            return
        state = {name: part.state_dict() for name, part in self._parts.items()}
        save_state(self._file, {'step': next_step, 'recipe': self._fingerprint, **state})

    def _interrupted(self, signum: int | None, when: str) -> interrupt.InterruptedTraining:
        signum = signum or signal.SIGTERM
        return interrupt.InterruptedTraining(
            signum, f'{signal.Signals(signum).name} {when}: the state is in {self._file}; the '
            'same command goes on from there'
        )

    def finish(self, steps: int) -> None:
        """
        Save, and give the network its averaged weights.

        :raises InterruptedTraining: if a signal asked to stop since the last step.
        """
        self.save(steps)
        stop = interrupt.requested()
        device = next(self._network.parameters()).device
        if distributed.mean(torch.tensor(float(stop or 0), device=device)) > 0:
            raise self._interrupted(stop, 'after the last step')
        self._network.load_state_dict(self._average.module.state_dict())
        self._network.requires_grad_(True)
        interrupt.defer(False)

    @property
    def learning_rates(self) -> dict[str, float]:
        """Return the learning rate of every part of the network that the optimiser holds."""
        rates = {
            id(parameter): float(group['lr'])
            for group in self._optimizer.param_groups for parameter in group['params']
        }
        return {
            name.split('.')[0]: rates[id(parameter)]
            for name, parameter in self._network.named_parameters() if id(parameter) in rates
        }

    def _restore(self) -> int:
        state = None
        if distributed.rank() == 0 and self._file.exists():
            state = load_state(self._file)
        state = distributed.from_first(state)
        if state is None:
            return 0
        if state['recipe'] != self._fingerprint:
            raise ValueError(
                f'{self._file}: the state of a run with another recipe or other labels; choose '
                'another --out, or remove the file to start anew'
            )
        for name, part in self._parts.items():
            part.load_state_dict(state.get(name, {}))
        return int(state['step'])
