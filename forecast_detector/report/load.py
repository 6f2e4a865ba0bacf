"""From JSON files to what a report is built from."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
import json
from pathlib import Path

from .fields import Fields, ReportError
from .model import (
    ACTIONS,
    DrawnBox,
    ErrorCurve,
    FrameLine,
    Picture,
    Run,
    SPEEDS,
    SweepPoint,
    SweepResult,
    Trace,
    TracedClip,
)

KINDS = ('timeline', 'worst', 'heat')
ROLES = ('detected', 'found', 'false', 'true', 'missed')


def load(path: str | Path) -> Run | SweepResult:
    """
    Read a file of ``evaluate``, ``replay`` or ``sweep``; its content tells which.

    :raises ReportError: if it is none of these; names the file and the place in it.
    :raises OSError: if it cannot be read.
    """
    name = str(path)
    try:
        values = json.loads(Path(path).read_text(encoding='utf-8'))
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
        dict(origin.items()),
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
        trace=_trace(fields.fields('trace')) if 'trace' in fields else None,
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


def _trace(fields: Fields) -> Trace:
    clips = [
        TracedClip(clip.text('name'), [_frame(frame) for frame in clip.objects('frames')])
        for clip in fields.objects('clips')
    ]
    errors = fields.objects('errors') if 'errors' in fields else ()
    pictures = fields.objects('pictures')
    return Trace(clips, [_picture(one) for one in pictures], [_errors(one) for one in errors])


def _errors(fields: Fields) -> ErrorCurve:
    index = fields.numbers('index')
    return ErrorCurve(
        fields.text('clip'), fields.text('policy'), index,
        fields.words('action', ACTIONS, len(index)), fields.numbers('error', len(index)),
    )


def _frame(fields: Fields) -> FrameLine:
    return FrameLine(
        fields.number('stamp_ns') / 1e9, fields.one_of('action', ACTIONS),
        fields.text('reason') if 'reason' in fields else None,
        fields.maybe_number('confidence'), fields.number('latency_ms'),
        fields.maybe_number('loss'),
    )


def _picture(fields: Fields) -> Picture:
    width, height = fields.numbers('size', 2)
    jpeg = fields.text('jpeg')
    try:
        good = base64.b64decode(jpeg, validate=True).startswith(b'\xff\xd8') and width * height > 0
    except binascii.Error:
        good = False
    if not good:
        raise ReportError(f'{fields.place}.jpeg: is no JPEG in base64; was the file cut?')
    boxes = [
        DrawnBox(box.numbers('xyxy', 4), box.text('name'), box.maybe_number('score'),
                 box.one_of('role', ROLES))
        for box in fields.objects('boxes')
    ]
    return Picture(
        fields.one_of('kind', KINDS), fields.text('clip'), fields.count('index'),
        fields.one_of('action', ACTIONS), fields.text('caption'), jpeg, (width, height), boxes,
        fields.count('age') if 'age' in fields else None,
        fields.text('policy') if 'policy' in fields else None, fields.maybe_number('brightest'),
    )


def lettered(runs: list[Run]) -> list[Run]:
    """
    Give each run its letter.

    :raises ReportError: if there are more runs than letters and colours.
    """
    if len(runs) > len(LETTERS):
        raise ReportError(
            f'{len(runs)} runs do not fit side by side; give at most {len(LETTERS)} a report'
        )
    return [replace(run, key=letter) for run, letter in zip(runs, LETTERS)]


LETTERS = 'ABCDEF'
