"""From JSON files to what a report is built from."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

from .conditions import short
from .fields import Fields, ReportError
from .load_trace import read_trace
from .model import (
    ACTIONS,
    Difference,
    Run,
    SPEEDS,
    SweepPoint,
    SweepResult,
    Topic,
)

LETTERS = 'ABCDEF'


def load(path: str | Path) -> Run | SweepResult:
    """
    Read a file of ``evaluate``, ``replay`` or ``sweep``; its content tells which.

    :raises ReportError: if it is none of these, or cannot be read; names the file and the place.
    """
    name = str(path)
    try:
        values = json.loads(Path(path).read_bytes())  # which takes byte order marks, too
    except OSError as error:
        raise ReportError(
            f'{name}: cannot be read ({error.strerror}); name a file that --json wrote'
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReportError(
            f'{name}: is no JSON ({error}); write it with --json of evaluate, replay or sweep'
        ) from error
    fields = Fields(values, name)
    if 'points' in fields:
        return _sweep(fields, name)
    if isinstance(values.get('provenance'), dict) and 'frames' in fields:
        return _run(fields, name)
    some = ', '.join(list(values)[:5]) or 'nothing'
    raise ReportError(
        f'{name}: is neither a run (keys provenance, frames, map50 …) nor a sweep (key points), '
        f'it has {some}; give what --json of evaluate, replay or sweep wrote'
    )


def _sweep(fields: Fields, name: str) -> SweepResult:
    origin = fields.fields('provenance') if 'provenance' in fields else Fields({}, name)
    return SweepResult(
        name, [_point(point) for point in fields.objects('points')],
        _point(fields.fields('recommended')) if 'recommended' in fields else None,
        [_difference(one, one.text('versus'), one.number('read_share'))
         for one in (fields.objects('differences') if 'differences' in fields else ())],
        dict(origin.items()),
        fields.count('frames') if 'frames' in fields else None,
        _skipped(fields),
    )


def _difference(fields: Fields, versus: str, read_share: float = 1.0) -> Difference:
    return Difference(
        versus, fields.number('difference'), fields.number('low'), fields.number('high'),
        read_share,
    )


def _point(fields: Fields) -> SweepPoint:
    return SweepPoint(
        fields.text('policy'), fields.maybe_number('p'), fields.maybe_number('read_every'),
        fields.number('read_share'), fields.maybe_number('map50'),
        fields.number('ms_per_frame'),
    )


def _run(fields: Fields, name: str) -> Run:
    by_speed = _values(fields, 'by_speed')
    return Run(
        file=name,
        map50=fields.maybe_number('map50'),
        map50_tolerant=fields.maybe_number('map50_tolerant'),
        map50_95=fields.maybe_number('map50_95'),
        sap50=fields.maybe_number('sap50'),
        read_share=fields.maybe_number('read_share'),
        ms_per_frame=fields.maybe_number('ms_per_frame'),
        by_speed={speed: by_speed[speed] for speed in SPEEDS if speed in by_speed},
        by_class=_values(fields, 'by_class'),
        latency_ms=_latency(fields),
        frames=fields.count('frames'),
        clips=fields.count('clips'),
        provenance=dict(fields.fields('provenance').items()),
        trace=read_trace(fields.fields('trace')) if 'trace' in fields else None,
        skipped=_skipped(fields),
        topics=_topics(fields.fields('topics')) if 'topics' in fields else [],
        versus=_versus(fields.fields('versus')) if 'versus' in fields else None,
    )


def _skipped(fields: Fields) -> list[tuple[str, str]]:
    rows = fields.objects('skipped') if 'skipped' in fields else ()
    return [(one.text('name'), one.text('reason')) for one in rows]


def _versus(fields: Fields) -> Difference:
    return _difference(fields.fields('map50'), fields.text('file'))


def _topics(fields: Fields) -> list[Topic]:
    return [_topic(name, fields.fields(name)) for name, _ in fields.items()]


def _topic(name: str, fields: Fields) -> Topic:
    heard = fields.fields('answer_ms') if 'answer_ms' in fields else None
    resets = fields.fields('resets') if 'resets' in fields else Fields({}, name)
    return Topic(
        name, fields.count('frames'), fields.count('answered'), fields.count('dropped'),
        fields.count('bad'), fields.maybe_number('read_share'),
        (heard.number('p50'), heard.number('p95')) if heard else None,
        fields.text('truth_topic') if 'truth_topic' in fields else None,
        {reason: resets.count(reason) for reason, _ in resets.items()},
    )


def _values(fields: Fields, key: str) -> dict[str, float]:
    """Read the ``map50`` of each entry that has one."""
    if key not in fields:
        return {}
    entries = fields.fields(key)
    named = {name: entries.fields(name) for name, value in entries.items() if value is not None}
    return {name: entry.number('map50') for name, entry in named.items() if 'map50' in entry}


def _latency(fields: Fields) -> dict[str, tuple[float, float]]:
    if 'latency_ms' not in fields:
        return {}
    entries = fields.fields('latency_ms')
    return {
        action: (entry.number('p50'), entry.number('p95'))
        for action in ACTIONS if action.lower() in entries
        for entry in [entries.fields(action.lower())]
    }


def lettered(runs: list[Run]) -> list[Run]:
    """
    Give each run its letter, and the name of its weights where they differ.

    :raises ReportError: if there are more runs than letters and colours.
    """
    if len(runs) > len(LETTERS):
        raise ReportError(
            f'{len(runs)} runs do not fit side by side; give at most {len(LETTERS)} a report'
        )
    names = [short(run.provenance.get('weights') or '') for run in runs]
    differ = len({*names} - {''}) > 1
    return [
        replace(run, key=letter, weights=name if differ else '')
        for run, letter, name in zip(runs, LETTERS, names)
    ]
