"""What a run follows from: its recipe, and data and weights by their hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
import hashlib
import json
from pathlib import Path
from typing import Any

from torch import nn

from .. import __version__
from ..data.base import ClipDataset
from ..writing import write_whole
from . import distributed

FILE = 'run.json'


def hash_facts(facts: Mapping[str, Any]) -> str:
    """Hash plain values (SHA-256)."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def data_facts(dataset: ClipDataset) -> str:
    """Hash a data set's classes and the names and lengths of its clips, not what they show."""
    clips = [(clip.name, len(clip)) for clip in dataset.clips]
    digest = hash_facts({'labels': dataset.labels, 'clips': clips})
    return f'{len(clips)} clips, {digest[:16]}'


def truth_facts(dataset: ClipDataset) -> str:
    """Hash the annotated objects of every frame, and which frames were annotated."""
    digest = hashlib.sha256()
    for clip in dataset.clips:
        for index in range(len(clip)):
            truth = clip.truth(index)
            digest.update(len(truth).to_bytes(4, 'little') + bytes([truth.annotated]))
            digest.update(truth.boxes.tobytes() + truth.labels.tobytes())
    return digest.hexdigest()


def weights_digest(modules: Iterable[nn.Module]) -> str:
    """Hash the weights and buffers of modules."""
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            if name.endswith('num_batches_tracked'):
                continue  # counters; a moving average of them rounds
            digest.update(name.encode())
            # A moving average makes 0 of -0, which are other bytes.
            digest.update((value.detach().cpu() + 0).contiguous().numpy().tobytes())
    return digest.hexdigest()


def provenance(config: Any, source: str) -> dict[str, str]:
    """
    Say how weights came about: version, date, the whole recipe, where it started.

    :param config: the recipe, a dataclass; its ``info`` and ``model`` stand elsewhere.
    """
    recipe = {k: v for k, v in asdict(config).items() if k not in ('info', 'model')}
    return {
        'version': __version__,
        'created': datetime.now(timezone.utc).date().isoformat(),
        'recipe': json.dumps(recipe),
        'started_from': source,
    }


def claim(out: Path, facts: Mapping[str, str]) -> None:
    """
    Note in a run's folder what it follows from, or compare with what is noted there.

    :raises ValueError: if the folder holds the states of another run.
    """
    file = out / FILE
    noted = None
    if distributed.rank() == 0 and file.is_file() and any(out.glob('*.pt')):
        try:
            noted = dict(json.loads(file.read_text()))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'{file}: cannot be read ({error}), so what the states beside it began with is '
                'not known; choose another --out, or remove the folder to start anew'
            ) from error
    noted = distributed.from_first(noted)
    if noted is not None and noted != facts:
        key = next(key for key in {**noted, **facts} if noted.get(key) != facts.get(key))
        raise ValueError(
            f'{out}: the states of a run with another {key} ({noted.get(key)}, now '
            f'{facts.get(key)}); choose another --out, or remove the folder to start anew'
        )
    if distributed.rank() == 0:
        write_whole(file, json.dumps(facts) + '\n')
