"""The feature bank on disk, so that a run that was stopped need not read every frame again."""

from __future__ import annotations

from collections.abc import Callable
import logging
import os
from pathlib import Path
from typing import Any

import torch

from ..data.base import ClipDataset
from ..model.network import ForecastNetwork
from . import distributed
from .config import TrainConfig
from .feature_bank import Segment
from .losses import Target
from .run_facts import data_facts, hash_facts, truth_facts, weights_digest

_logger = logging.getLogger(__name__)
# Another number for another way to augment or to keep a bank: older files are then no longer read.
FORMAT = 4


def bank_key(network: ForecastNetwork, dataset: ClipDataset, config: TrainConfig) -> str:
    """Hash what a bank follows from, so that runs that share it find the same one."""
    model, recipe = config.model, config.temporal
    return hash_facts({
        'seed': config.seed, 'turns': config.detector.turns, 'input_size': model.input_size,
        'resize': model.resize, 'peek': model.peek, 'frames': recipe.frames,
        'thinning': recipe.thinning, 'segments': recipe.segments,
        'data': data_facts(dataset), 'truth': truth_facts(dataset),
        'format': FORMAT,
        'weights': weights_digest([network.backbone, *network.necks]),
    })


def cached_bank(path: Path, key: str, fill: Callable[[], list[Segment]]) -> list[Segment]:
    """
    Read a bank from a file, or fill it and keep it there.

    The features stay on disk until they are drawn.

    :param key: what the bank follows from; a file with another key is replaced.
    """
    stored = _read(path, key)
    if stored is not None:
        return stored
    bank = fill()
    if distributed.rank() == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Runs that share the folder may fill it at the same time.
        scratch = path.with_suffix(f'.{os.getpid()}.tmp')
        torch.save({'key': key, 'segments': [_pack(segment) for segment in bank]}, scratch)
        scratch.replace(path)
    # What was filled would stay in memory.
    return _read(path, key) or bank


def _read(path: Path, key: str) -> list[Segment] | None:
    if not path.is_file():
        return None
    try:
        content = torch.load(path, weights_only=True, mmap=True)
        if content['key'] == key:
            return [_unpack(values) for values in content['segments']]
    except Exception as error:  # whatever a damaged file raises: the bank can be made again
        _logger.warning('%s: cannot be read (%s); reading the frames again', path, error)
    return None


def _pack(segment: Segment) -> dict[str, Any]:
    return {
        'clip': segment.clip,
        'features': segment.features,
        'previews': segment.previews,
        'annotated': [target.annotated for target in segment.targets],
        'counts': torch.tensor([len(target.labels) for target in segment.targets]),
        'boxes': torch.cat([target.boxes for target in segment.targets]),
        'labels': torch.cat([target.labels for target in segment.targets]),
    }


def _unpack(values: dict[str, Any]) -> Segment:
    counts = values['counts'].tolist()
    targets = [
        Target(boxes, labels, annotated)
        for boxes, labels, annotated in zip(
            values['boxes'].split(counts), values['labels'].split(counts), values['annotated']
        )
    ]
    return Segment(values['features'], targets, values['previews'], values['clip'])
