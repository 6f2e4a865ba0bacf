"""A whole training: its phases, logs, resume, and the weights file at the end."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
import json
from pathlib import Path
import time
from typing import Any

import torch

from .. import __version__
from ..checkpoint import save_checkpoint
from ..data.base import ClipDataset
from ..model.network import ForecastNetwork
from .config import TrainConfig
from .detector import train_detector
from .feature_bank import fill_bank
from .frame_store import store_frames
from .pretrained import start_from_imagenet
from .scheduling import train_scheduler
from .temporal import train_temporal


class JsonLog:
    """One JSON object a line, each with the time since the start of the run."""

    def __init__(self, path: Path) -> None:
        self._file = path.open('a', encoding='utf-8')
        self._start = time.monotonic()

    def __call__(self, values: dict[str, Any]) -> None:
        """Append values."""
        seconds = round(time.monotonic() - self._start, 1)
        self._file.write(json.dumps({'seconds': seconds, **values}) + '\n')
        self._file.flush()


def train(
    config: TrainConfig,
    dataset: ClipDataset,
    out: Path,
    device: torch.device,
    imagenet: str | None = None,
) -> Path:
    """
    Train from ImageNet weights to a weights file; goes on where an earlier run stopped.

    :param out: folder for the log, the states to resume from, and the weights.
    :param imagenet: file of the backbone's ImageNet weights.
    :returns: the weights file, ``out/<name>.safetensors``.
    """
    out.mkdir(parents=True, exist_ok=True)
    log = JsonLog(out / 'log.jsonl')
    torch.manual_seed(config.seed)
    network = ForecastNetwork(config.model)
    source = start_from_imagenet(network, imagenet)
    stored = store_frames(dataset)
    network = train_detector(network, stored, config, device, out / 'detector.pt', log)
    bank = fill_bank(
        network, stored, config.temporal, config.detector.turns, config.seed, device
    )
    network = train_temporal(network, bank, config, device, out / 'temporal.pt', log)
    if config.scheduler.steps:
        network = train_scheduler(network, bank, config, device, out / 'scheduler.pt', log)
    path = out / f'{config.name}.safetensors'
    save_checkpoint(path, network, {**config.info, **provenance(config, source)})
    return path


def provenance(config: TrainConfig, imagenet_file: str) -> dict[str, str]:
    """Say how weights came about: version, date, the whole recipe, where it started."""
    recipe = {k: v for k, v in asdict(config).items() if k not in ('info', 'model')}
    return {
        'version': __version__,
        'created': datetime.now(timezone.utc).date().isoformat(),
        'recipe': json.dumps(recipe),
        'imagenet_file': imagenet_file,
    }
