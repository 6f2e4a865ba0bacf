"""The state of one training phase: one optimiser step, and resuming where a run stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
import hashlib
import json
from pathlib import Path
import time
from typing import Any

import torch
from torch import nn, Tensor

from .config import TrainConfig
from .optim import moving_average

SAVE_EVERY_S = 180.0
LOG_EVERY = 20
MAX_GRADIENT_NORM = 10.0
Log = Callable[[dict[str, Any]], None]


def fingerprint(config: TrainConfig) -> str:
    """Hash everything of a recipe that shapes its run; provenance does not."""
    values = {key: value for key, value in asdict(config).items() if key != 'info'}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class Phase:
    """
    Network, moving average, optimiser and learning rate schedule, saved and restored together.

    :ivar first: the step to go on with; 0 in a new run.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_schedule: torch.optim.lr_scheduler.LRScheduler,
        ema: float,
        config: TrainConfig,
        state_file: Path,
    ) -> None:
        """
        Take the parts, and go on from the state file where there is one.

        :raises ValueError: if the file is of another recipe.
        """
        self._network, self._optimizer, self._lr_schedule = network, optimizer, lr_schedule
        self._average = moving_average(network, ema)
        self._parts: dict[str, Any] = {
            'network': network, 'average': self._average, 'optimizer': optimizer,
            'lr_schedule': lr_schedule,
        }
        self._file, self._fingerprint = state_file, fingerprint(config)
        self.first = self._restore()
        self._saved_s = time.monotonic()

    def update(self, step: int, loss: Tensor) -> None:
        """
        Take one optimiser step; the state is saved every few minutes.

        :raises RuntimeError: if the loss is not finite; names the step.
        """
        if not torch.isfinite(loss):
            raise RuntimeError(
                f'the loss is {loss.item()} at step {step}: lower the learning rate'
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._network.parameters(), MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._lr_schedule.step()
        self._average.update_parameters(self._network)
        if time.monotonic() - self._saved_s > SAVE_EVERY_S:
            self.save(step + 1)

    def save(self, next_step: int) -> None:
        """Write everything that resuming needs, whole or not at all."""
        state = {name: part.state_dict() for name, part in self._parts.items()}
        scratch = self._file.with_suffix('.tmp')
        torch.save({'step': next_step, 'recipe': self._fingerprint, **state}, scratch)
        scratch.replace(self._file)
        self._saved_s = time.monotonic()

    def finish(self, steps: int) -> None:
        """Save, and give the network its averaged weights."""
        self.save(steps)
        self._network.load_state_dict(self._average.module.state_dict())
        self._network.requires_grad_(True)

    @property
    def lr(self) -> float:
        """Return the learning rate of the first parameter group."""
        return float(self._lr_schedule.get_last_lr()[0])

    def _restore(self) -> int:
        if not self._file.exists():
            return 0
        state = torch.load(self._file, weights_only=True, map_location='cpu')
        if state['recipe'] != self._fingerprint:
            raise ValueError(
                f'{self._file}: the state of a run with another recipe or other labels; choose '
                'another --out, or remove the file to start anew'
            )
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        return int(state['step'])
