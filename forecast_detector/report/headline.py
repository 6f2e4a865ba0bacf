"""The first things said: a heading, a sentence or two, a card of figures for each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .conditions import data, place, same_data, same_times, short
from .model import ACTIONS, Difference, Run, SweepResult
from .svg import percent


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


def heading(runs: Sequence[Run], sweep: SweepResult | None) -> str:
    """Name what was measured on what."""
    origins = [run.provenance for run in runs] or [sweep.provenance if sweep else {}]
    weights = list(dict.fromkeys(short(o['weights']) for o in origins if o.get('weights')))
    measured = [o for o in origins if o.get('dataset')]
    places = list(dict.fromkeys(data(o) for o in measured))
    if len(places) > 1:
        places = list(dict.fromkeys(place(o) for o in measured))
    named = ' and '.join(weights) or 'Detections'
    return f'{named} on {" and ".join(places)}' if places else named


def sentences(runs: Sequence[Run], sweep: SweepResult | None) -> list[str]:
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
    frames = f'{run.frames:,} frames of {run.clips} clip{"s" if run.clips != 1 else ""}'
    if run.read_share is None:
        return f'{who}: {frames}, {_accuracy(run)}.' if run.map50 is not None else f'{frames}.'
    text = f'{who} read {percent(run.read_share, 0)} of {frames} and forecast the rest'
    if run.read_share == 1:
        text = f'{who} read all {frames}'
    if run.ms_per_frame is not None:
        text += f', at {run.ms_per_frame:.1f} ms a frame'
    return text + (f': {_accuracy(run)}.' if run.map50 is not None else '.')


def _accuracy(run: Run) -> str:
    return f'mAP {percent(run.map50 or 0.0)}'


def _against(run: Run, first: Run) -> str:
    parts = []
    if run.read_share is not None:
        parts.append(f'read {percent(run.read_share, 0)}')
    if run.ms_per_frame and first.ms_per_frame and same_times(run, first):
        factor = first.ms_per_frame / run.ms_per_frame
        parts.append(
            f'was {factor:.1f} times as fast' if factor >= 1.05 else
            f'took {1 / factor:.1f} times as long' if factor <= 0.95 else 'was as fast'
        )
    if run.map50 is not None and not same_data(run, first):
        parts.append(f'reached {_accuracy(run)} on other frames')
    elif run.map50 is not None and first.map50 is not None:
        points = 100 * (run.map50 - first.map50)
        change = f'{"gained" if points > 0 else "lost"} {abs(points):.1f} points of mAP'
        parts.append(change if abs(points) >= 0.05 else 'had the same mAP')
    return f'Run {run.key} ' + ' and '.join([', '.join(parts[:-1]), parts[-1]]
                                            if len(parts) > 1 else parts) + '.' if parts else ''


def cards(runs: Sequence[Run]) -> list[Card]:
    """Gather the figures of each run."""
    return [_card(run, runs[0] if run is not runs[0] else None) for run in runs]


def _card(run: Run, first: Run | None) -> Card:
    main = _percent('mAP@0.5', run, first, 'map50') or Figure('frames', f'{run.frames:,}')
    figures = [
        _percent(name, run, first, key) for name, key in (
            ('mAP, tolerant', 'map50_tolerant'), ('mAP@0.5:0.95', 'map50_95'),
            ('streaming AP', 'sap50'),
        )
    ]
    if run.ms_per_frame is not None:
        change = None
        if first is not None and first.ms_per_frame is not None and same_times(run, first):
            change = f'{run.ms_per_frame - first.ms_per_frame:+.1f}'.replace('-', '−')
        figures.append(Figure('per frame', f'{run.ms_per_frame:.1f}', 'ms', change))
    figures += [
        Figure(f'{action} step', f'{run.latency_ms[action][0]:.1f}', 'ms')
        for action in ACTIONS if action in run.latency_ms
    ]
    return Card(run, main, [figure for figure in figures if figure], _versus(run.versus))


def _versus(gap: Difference | None) -> str | None:
    if gap is None:
        return None
    values = (f'{100 * value:+.1f}'.replace('-', '−')
              for value in (gap.difference, gap.low, gap.high))
    return '{} points of mAP against {}, 95\u00a0% in [{}, {}]'.format(
        next(values), short(gap.versus), *values
    )


def _percent(name: str, run: Run, first: Run | None, key: str) -> Figure | None:
    value = getattr(run, key)
    if value is None:
        return None
    before = getattr(first, key) if first is not None and same_data(run, first) else None
    change = f'{100 * (value - before):+.1f}'.replace('-', '−') if before is not None else None
    return Figure(name, f'{100 * value:.1f}', '%', change)
