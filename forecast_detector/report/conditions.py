"""What runs were measured under, and whether their figures may be held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..records.evaluation import Evaluation, Provenance
from ..records.sweep import Sweep
from .run import Run, short


def place(origin: Provenance) -> str:
    """Name a data set or recording; '' where it is unknown."""
    parts = [short(origin['root']) if origin.get('root') else str(origin.get('dataset') or '')]
    if origin.get('split') and origin.get('dataset') != 'rosbag':
        parts.append(str(origin['split']))
    return ' '.join(part for part in parts if part)


def data(origin: Provenance) -> str:
    """Name what was measured on, and how many frames of it; '' where it is unknown."""
    stride = origin.get('stride')
    every = f', every {ordinal(stride)} frame' if isinstance(stride, int) and stride > 1 else ''
    return place(origin) + every


def ordinal(number: int) -> str:
    """Write 2nd, 3rd, 11th …"""
    ending = {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')
    return f'{number}{"th" if number % 100 in (11, 12, 13) else ending}'


def is_replay(run: Run) -> bool:
    """Whether a run is a replay, whose step times include the decoding of images."""
    return run.result.provenance.get('mode') in ('live', 'offline')


def same_data(a: Run, b: Run) -> bool:
    """Whether two runs were scored on the same frames by the same, as far as they tell."""
    return same_frames(a, b) and judged_by(a.result.provenance) == judged_by(b.result.provenance)


def same_frames(a: Run, b: Run) -> bool:
    """Whether two runs were shown the same frames, as far as they tell."""
    return _shown(a.result) == _shown(b.result)


def _shown(result: Evaluation) -> tuple[str, int]:
    return data(result.provenance), result.frames


def judged_by(origin: Provenance) -> str:
    """Say what detections were judged by: a truth, or what reading gives."""
    if not origin.get('reference'):
        return 'truth'
    # What other weights read is another reference.
    weights = f' by {_weights(origin)}' if origin.get('weights') else ''
    return f'every frame read{weights}, score {origin.get("reference_score")} or more'


def comparable(runs: Sequence[Run], sweep: Sweep | None) -> list[Run]:
    """Choose the runs that belong into one chart: on the data of the sweep, or else of run A."""
    if sweep is None:
        return [run for run in runs if same_data(run, runs[0])]
    known, judged = data(sweep.provenance), judged_by(sweep.provenance)
    return [
        run for run in runs if data(run.result.provenance) == known or not known
        if sweep.frames in (None, run.result.frames) and judged_by(run.result.provenance) == judged
    ]


def same_times(a: Run, b: Run) -> bool:
    """Whether two runs were timed in the same way on the same sort of machine."""
    return _timing(a.result.provenance) == _timing(b.result.provenance)


def _weights(origin: Provenance) -> str:
    digest = f' ({str(origin["sha256"])[:8]})' if origin.get('sha256') else ''
    return short(origin['weights']) + digest if origin.get('weights') else ''


def _input(origin: Provenance) -> str:
    size = origin.get('input_size')
    if not isinstance(size, list):
        return ''
    trimmed = ', trimmed to the image' if origin.get('resize') == 'trim' else ''
    return ' × '.join(map(str, size)) + trimmed


def _timing(origin: Provenance) -> str:
    """Say where and how steps were timed; '' for detections that were only scored again."""
    if not origin.get('machine'):
        return ''
    words = [str(origin['machine']), str(origin.get('device') or '')]
    mode = origin.get('mode')
    if mode in ('live', 'offline'):
        words.append(f'{mode} replay, decoding included')
    elif origin.get('ray') is not None or (origin.get('workers') or 1) != 1:
        words.append('workers that shared it')
    return ', '.join(word for word in words if word)


@dataclass(frozen=True)
class Differing:
    """
    Something that is not the same for all that is shown.

    :ivar values: for each run, and the sweep at the end if there is one, what it is.
    """

    name: str
    values: list[str]


@dataclass(frozen=True)
class Conditions:
    """
    What differs besides the policy.

    :ivar keys: letters of the runs, and ``sweep``.
    :ivar data: whether runs were scored on different frames, or by something else; ``times``:
        timed differently.
    """

    keys: list[str]
    differing: list[Differing]
    data: bool
    times: bool


def conditions(runs: Sequence[Run], sweep: Sweep | None) -> Conditions | None:
    """Find what is not the same for all runs and the sweep; None if nothing is."""
    origins = [run.result.provenance for run in runs] + ([sweep.provenance] if sweep else [])
    counts = [run.result.frames for run in runs] + ([sweep.frames] if sweep else [])
    tells = len(set(counts) - {None}) > 1
    frames = [f', {count:,} frames' if tells and count else '' for count in counts]
    rows = {
        'data': [data(o) + f for o, f in zip(origins, frames)],
        'judged by': [judged_by(o) for o in origins],
        'weights': [_weights(o) for o in origins],
        'network input': [_input(o) for o in origins],
        'time measured on': [_timing(o) for o in origins],
    }
    found = [Differing(name, [value or '–' for value in values])
             for name, values in rows.items() if _differ(values)]
    if not found:
        return None
    keys = [run.key for run in runs] + (['sweep'] if sweep else [])
    return Conditions(keys, found, _any(runs, same_data), _any(runs, same_times))


def _differ(values: Sequence[str]) -> bool:
    """Whether the known values differ; an unknown one differs from nothing."""
    return len({value for value in values if value}) > 1


def _any(runs: Sequence[Run], same: Callable[[Run, Run], bool]) -> bool:
    return any(not same(run, runs[0]) for run in runs[1:])
