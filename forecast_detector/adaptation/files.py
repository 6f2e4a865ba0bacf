"""What an adaptation writes, and what of it goes when all is done."""

from __future__ import annotations

import json
from pathlib import Path
import shutil
from typing import Any

from ..checkpoint import Checkpoint, save_checkpoint
from ..records.adaptation import Adaptation, AdaptedShare
from ..records.sweep import SweepPoint
from ..training.run_facts import FILE as RUN_FILE
from . import plan


def keep(trained: Checkpoint, found: Adaptation, out: Path) -> None:
    """Write the weights, with what they were adapted to and what that brought."""
    recommended = found.recommended
    save_checkpoint(out, trained.network, {
        **trained.info,
        'adapted_to': json.dumps([vars(one) for one in found.recordings]),
        'adapted_gain': json.dumps([_figures(row) for row in found.rows]),
        'adapted_verdict': found.verdict,
        'recommended_p': '' if recommended is None else str(recommended.p),
    }, half=False)


def _figures(row: AdaptedShare) -> dict[str, Any]:
    """Take the figures of a row that a user would ask for."""
    def of(point: SweepPoint) -> dict[str, Any]:
        return {key: getattr(point, key)
                for key in ('p', 'read_share', 'agreement50', 'recall50')}

    return {'before': of(row.before), 'after': of(row.after), 'gain': row.gain, 'low': row.low,
            'high': row.high}


def forget(state: Path, name: str) -> None:
    """
    Remove what a run left in the folder of its states, and the folder if it is then empty.

    :param name: of the recipe.
    """
    for file in (*state.glob('*.pt'), state / RUN_FILE, state / plan.FILE, state / 'log.jsonl',
                 state / f'{name}.safetensors'):
        file.unlink(missing_ok=True)
    shutil.rmtree(state / 'tensorboard', ignore_errors=True)
    if state.is_dir() and not any(state.iterdir()):
        state.rmdir()
