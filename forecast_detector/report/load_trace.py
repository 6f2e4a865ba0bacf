"""The trace of a run, from its JSON."""

from __future__ import annotations

import base64
import binascii

from .fields import Fields, ReportError
from .model import ACTIONS, DrawnBox, ErrorCurve, FrameLine, Picture, Trace, TracedClip

KINDS = ('timeline', 'worst', 'heat')
ROLES = ('detected', 'found', 'false', 'true', 'missed')


def read_trace(fields: Fields) -> Trace:
    """
    Read what ``make_trace`` wrote.

    :raises ReportError: for what it did not write.
    """
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
