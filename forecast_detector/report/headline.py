"""The first things said: a heading, a sentence or two, a card of figures for each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records.evaluation import StepTimes, Versus
from ..records.sweep import Sweep
from .conditions import data, place, same_data, same_frames, same_times
from .run import Run, short
from .svg import percent, signed
from .tables import user_threshold


@dataclass(frozen=True)
class Figure:
    """
    One figure of a card.

    :ivar change: against the first run, with its sign; None on the first, and where the two were
        not measured alike.
    """

    name: str
    value: str
    unit: str = ''
    change: str | None = None


@dataclass(frozen=True)
class Card:
    """A run's headline figures; the first stands out."""

    run: Run
    main: Figure
    figures: list[Figure]
    versus: str | None = None


def heading(runs: Sequence[Run], sweep: Sweep | None) -> str:
    """Name what was measured on what."""
    origins = [run.result.provenance for run in runs] or [sweep.provenance if sweep else {}]
    weights = list(dict.fromkeys(short(o['weights']) for o in origins if o.get('weights')))
    measured = [o for o in origins if o.get('dataset')]
    places = list(dict.fromkeys(data(o) for o in measured))
    if len(places) > 1:
        places = list(dict.fromkeys(place(o) for o in measured))
    named = ' and '.join(weights) or 'Detections'
    return f'{named} on {" and ".join(places)}' if places else named


def sentences(runs: Sequence[Run], sweep: Sweep | None) -> list[str]:
    """Say in words what matters most."""
    said = []
    if runs:
        first = runs[0]
        said.append(_alone(first, 'Run A' if len(runs) > 1 else 'The detector'))
        said += [_against(run, first) for run in runs[1:]]
    elif sweep:
        said.append(f'{len(sweep.points)} settings were measured on the same frames.')
    return [sentence for sentence in said if sentence]


def _alone(run: Run, who: str) -> str:
    found = run.result
    scored = found.ap50 is not None
    frames = f'{found.frames:,} frames of {found.clips} clip{"s" if found.clips != 1 else ""}'
    if found.read_share is None:
        return f'{who}: {frames}, {_accuracy(run)}.' if scored else f'{frames}.'
    text = f'{who} read {percent(found.read_share, 0)} of {frames} and forecast the rest'
    if found.read_share == 1:
        text = f'{who} read all {frames}'
    if found.ms_per_frame is not None:
        text += f', at {found.ms_per_frame:.1f} ms a frame'
    return text + (f': {_accuracy(run)}.' if scored else '.')


def _accuracy(run: Run) -> str:
    return f'{run.measure} {percent(run.result.ap50 or 0.0)}'


def _against(run: Run, first: Run) -> str:
    parts = []
    if run.result.read_share is not None:
        parts.append(f'read {percent(run.result.read_share, 0)}')
    if run.result.ms_per_frame and first.result.ms_per_frame and same_times(run, first):
        factor = first.result.ms_per_frame / run.result.ms_per_frame
        parts.append(
            f'was {factor:.1f} times as fast' if factor >= 1.05 else
            f'took {1 / factor:.1f} times as long' if factor <= 0.95 else 'was as fast'
        )
    ours, theirs = run.result.ap50, first.result.ap50
    if ours is not None and not same_frames(run, first):
        parts.append(f'reached {_accuracy(run)} on other frames')
    elif ours is not None and not same_data(run, first):
        parts.append(f'reached {_accuracy(run)}, judged by something else')
    elif ours is not None and theirs is not None:
        points = 100 * (ours - theirs)
        change = f'{"gained" if points > 0 else "lost"} {abs(points):.1f} points of {run.measure}'
        parts.append(change if abs(points) >= 0.05 else f'had the same {run.measure}')
    return f'Run {run.key} ' + ' and '.join([', '.join(parts[:-1]), parts[-1]]
                                            if len(parts) > 1 else parts) + '.' if parts else ''


def cards(runs: Sequence[Run]) -> list[Card]:
    """Gather the figures of each run."""
    return [_card(run, runs[0] if run is not runs[0] else None) for run in runs]


def _card(run: Run, first: Run | None) -> Card:
    main = _percent(f'{run.measure}@0.5', run, first, 'ap50')
    figures = [
        _percent(name, run, first, key) for name, key in (
            ('mAP, tolerant', 'map50_tolerant'), ('mAP@0.5:0.95', 'map50_95'),
            ('streaming AP', 'sap50'), ('streaming agreement', 'streaming_agreement50'),
            (f'recall{user_threshold(run.result.provenance)}', 'recall50'),
            ('recall of annotated', 'annotated_recall50'),
            ('overlap of annotated', 'annotated_overlap'),
        )
    ]
    if run.result.frames_to_find is not None:
        figures.append(Figure('to find an object', f'{run.result.frames_to_find:.2f}', 'frames'))
    ours, theirs = (one.result.ms_per_frame if one else None for one in (run, first))
    if ours is not None:
        change = None
        if first is not None and theirs is not None and same_times(run, first):
            change = signed(ours - theirs)
        figures.append(Figure('per frame', f'{ours:.1f}', 'ms', change))
    times = run.result.latency_ms or StepTimes()
    figures += [
        Figure(f'{action} step', f'{taken.p50:.1f}', 'ms')
        for action, taken in (('READ', times.read), ('FORECAST', times.forecast)) if taken
    ]
    main = main or Figure('frames', f'{run.result.frames:,}')
    return Card(run, main, [figure for figure in figures if figure],
                _versus(run.result.versus, run.measure))


def _versus(versus: Versus | None, measured: str) -> str | None:
    if versus is None or versus.ap50 is None:
        return None
    gap = versus.ap50
    text = f'{signed(100 * gap.difference)} points of {measured} against {short(versus.file)}'
    if gap.low is None or gap.high is None:
        return text
    return f'{text}, 95\u00a0% in [{signed(100 * gap.low)}, {signed(100 * gap.high)}]'


def _percent(name: str, run: Run, first: Run | None, key: str) -> Figure | None:
    value = getattr(run.result, key)
    if value is None:
        return None
    before = getattr(first.result, key) if first is not None and same_data(run, first) else None
    change = signed(100 * (value - before)) if before is not None else None
    return Figure(name, f'{100 * value:.1f}', '%', change)
