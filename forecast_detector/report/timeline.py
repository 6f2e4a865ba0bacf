"""What was decided along a clip: a strip of READs and forecasts, confidence drawn on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup
import numpy as np

from ..records.trace import TracedClip, TracedFrame
from .svg import element, join, path, percent, title

# Longer clips are drawn in so many columns, each of several frames.
COLUMNS = 900
STRIP, MARKS, LOSS = 100.0, 12.0, 40.0


@dataclass(frozen=True)
class StripColumn:
    """
    Consecutive frames that are drawn as one.

    :ivar forecast: share of the frames that were forecast.
    """

    first: int
    last: int
    forecast: float
    confidence: float | None
    loss: float | None
    reasons: tuple[str, ...]


def columns(frames: Sequence[TracedFrame]) -> list[StripColumn]:
    """Put frames into columns: one each, or a mean of several in a long clip."""
    count = min(len(frames), COLUMNS)
    edges = [k * len(frames) // count for k in range(count + 1)] if count else []
    result = []
    for first, end in zip(edges, edges[1:]):
        part = frames[first:end]
        result.append(StripColumn(
            first, end - 1, sum(f.action == 'FORECAST' for f in part) / len(part),
            _mean([f.confidence for f in part]), _mean([f.loss for f in part]),
            tuple(sorted({f.reason for f in part if f.reason})),
        ))
    return result


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def highest_loss(clip: TracedClip) -> float | None:
    """Give the largest loss that the strip of a clip shows; None without any."""
    losses = [column.loss for column in columns(clip.frames) if column.loss is not None]
    return max(losses) if losses else None


def strip(
    clip: TracedClip, p: float | None, marked: Sequence[int] = (), highest: float | None = None,
) -> Markup:
    """
    Draw a clip from left to right, over the whole width of the page.

    :param p: the threshold of the confidence, drawn dashed.
    :param marked: frames that example pictures show.
    :param highest: loss that fills the room below, the same for strips that are compared; None
        takes the clip's own.
    """
    shown = columns(clip.frames)
    highest = highest_loss(clip) if highest is None else highest
    losses = [column.loss for column in shown if column.loss is not None]
    height = STRIP + MARKS + (LOSS if losses else 0)
    parts = [element('rect', width=len(shown), height=STRIP, class_='read')]
    parts += _forecasts(shown)
    parts.append(element('path', d=_curve(shown), class_='confidence'))
    if p is not None and 0 < p < 1:
        at = STRIP * (1 - p)
        parts.append(element('line', title(f'p = {p:g}'), x1=0, x2=len(shown), y1=at, y2=at,
                             class_='threshold'))
    scale = len(shown) / max(1, len(clip.frames))
    parts += [
        element('line', title(f'frame {index}, shown below'), x1=(index + 0.5) * scale,
                x2=(index + 0.5) * scale, y1=STRIP, y2=STRIP + MARKS, class_='shown')
        for index in marked
    ]
    if losses and highest is not None:
        parts.append(_loss(shown, highest, height))
    return element(
        'svg', join(parts), viewBox=f'0 0 {len(shown)} {height:g}', preserveAspectRatio='none',
        role='img', class_='strip' + (' with-loss' if losses else ''),
        aria_label=f'{clip.name}: {len(clip.frames)} frames, {percent(clip.read_share, 0)} read',
    )


def _forecasts(shown: Sequence[StripColumn]) -> list[Markup]:
    """Draw neighbours of the same kind as one, so that a strip stays small."""
    parts = []
    indexed = enumerate(shown)
    for (share, reasons), group in groupby(indexed, lambda entry: (
        entry[1].forecast, entry[1].reasons
    )):
        members = list(group)
        start, first, last = members[0][0], members[0][1], members[-1][1]
        frames = f'frame {first.first}' if first.first == last.last else (
            f'frames {first.first} to {last.last}'
        )
        what = {0.0: 'READ', 1.0: 'FORECAST'}.get(share, f'{percent(share, 0)} FORECAST')
        why = ', '.join(reasons).lower().replace('_', ' ')
        known = [c.confidence for _, c in members if c.confidence is not None]
        sure = f', confidence {_range(known)}' if known else ''
        parts.append(element(
            'rect', title(f'{frames}: {what}' + (f' ({why})' if why else '') + sure),
            x=start, width=len(members), height=STRIP, class_='forecast',
            fill_opacity=f'{share:.3g}',
        ))
    return parts


def _range(values: Sequence[float]) -> str:
    low, high = f'{min(values):.2f}', f'{max(values):.2f}'
    return low if low == high else f'{low} to {high}'


def _curve(shown: Sequence[StripColumn]) -> str:
    """Write the path of the confidence, broken where there is none."""
    pieces = []
    for known, group in groupby(enumerate(shown), lambda entry: entry[1].confidence is not None):
        if known:
            at = [(x + 0.5, STRIP * (1 - (c.confidence or 0.0))) for x, c in group]
            pieces.append(path(at if len(at) > 1 else [at[0], at[0]]))
    return ''.join(pieces)


def _loss(shown: Sequence[StripColumn], highest: float, height: float) -> Markup:
    """Hang the loss below the strip, a column a frame."""
    top, room = STRIP + MARKS, height - STRIP - MARKS
    scale = room / highest if highest else 0.0
    steps = [(x + side, top + scale * (c.loss or 0.0))
             for x, c in enumerate(shown) for side in (0, 1)]
    outline = [(0.0, top), *steps, (float(len(shown)), top)]
    return element('path', title(f'loss of each frame; the room is for {highest:.2f}'),
                   d=path(outline) + 'Z', class_='loss')
