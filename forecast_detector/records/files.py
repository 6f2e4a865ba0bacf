"""JSON files of records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..writing import write_whole
from .codec import from_plain, RecordError, to_plain, wrong
from .diagnosis import Diagnosis
from .evaluation import Evaluation, Replay
from .sweep import Sweep

Result = Evaluation | Sweep | Diagnosis


def write(path: str | Path, record: Any) -> None:
    """
    Write a record or plain values as JSON to a file, or to stdout for ``-``; makes the folder.

    :raises ValueError: for NaN, which is not JSON.
    """
    text = json.dumps(to_plain(record), indent=2, allow_nan=False)
    if path == '-':
        print(text)
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(path), text + '\n')


def read(path: str | Path) -> Result:
    """
    Read what ``evaluate``, ``replay``, ``sweep`` or ``diagnose`` wrote; its content tells which.

    :raises RecordError: if it is none of these, or cannot be read; names the file and the place.
    """
    name = str(path)
    try:
        values = json.loads(Path(path).read_bytes())  # which takes byte order marks, too
    except OSError as error:
        raise RecordError(
            f'{name}: cannot be read ({error.strerror}); name a file that --json wrote'
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            f'{name}: is no JSON ({error}); write it with --json of evaluate, replay or sweep'
        ) from error
    if not isinstance(values, dict):
        raise wrong(name, values, 'an object')
    return from_plain(_kind(values, name), values, name)


def _kind(values: dict[str, Any], name: str) -> type[Result]:
    there = {key for key, value in values.items() if value is not None}
    if 'points' in there:
        return Sweep
    if 'classifier' in there:
        return Diagnosis
    if 'frames' in there and isinstance(values.get('provenance'), dict):
        return Replay if 'topics' in there else Evaluation
    some = ', '.join(list(values)[:5]) or 'nothing'
    raise RecordError(
        f'{name}: is neither a run (keys provenance, frames, map50 …) nor a sweep (key points), '
        f'it has {some}; give what --json of evaluate, replay or sweep wrote'
    )
