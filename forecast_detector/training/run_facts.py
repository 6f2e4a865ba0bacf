"""What a run follows from beside its recipe; a folder is not shared by runs that differ in it."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import json
from pathlib import Path
from typing import Any

from ..data.base import ClipDataset
from . import distributed

FILE = 'run.json'


def hash_facts(facts: Mapping[str, Any]) -> str:
    """Hash plain values (SHA-256)."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def data_facts(dataset: ClipDataset) -> str:
    """Hash a data set's classes and the names and lengths of its clips; not its pictures."""
    clips = [(clip.name, len(clip)) for clip in dataset.clips]
    return hash_facts({'labels': dataset.labels, 'clips': clips})


def claim(out: Path, facts: Mapping[str, str]) -> None:
    """
    Note in a run's folder what it follows from, or compare with what is noted there.

    :raises ValueError: if the folder holds the states of another run.
    """
    file = out / FILE
    noted = None
    if distributed.rank() == 0 and file.is_file():
        noted = json.loads(file.read_text())
    noted = distributed.from_first(noted)
    if noted is not None and noted != facts:
        key = next(key for key in {**noted, **facts} if noted.get(key) != facts.get(key))
        raise ValueError(
            f'{out}: the states of a run with another {key} ({noted.get(key)}, now '
            f'{facts.get(key)}); choose another --out, or remove the folder to start anew'
        )
    if distributed.rank() == 0:
        file.write_text(json.dumps(facts) + '\n')
