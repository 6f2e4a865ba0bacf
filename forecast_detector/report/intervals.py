"""The scheduler against each baseline at the same share of READs, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ..records.sweep import Difference, Sweep
from .axes import RIGHT, Scale, ticks, WIDTH
from .svg import chart, element, percent, title

ROW, NAME_WIDTH, TOP = 22.0, 124.0, 34.0


def compared(sweep: Sweep) -> list[Markup]:
    """Draw a chart for each share of READs that was compared, on one scale."""
    # Reading every frame is no baseline at the same share.
    rows = [one for one in sweep.differences if one.versus != 'p=1']
    ends = [100 * end for one in rows for end in (one.low, one.high)]
    if not ends:
        return []
    room = 0.06 * (max(*ends, 0.0) - min(*ends, 0.0)) or 1.0
    x = Scale(min(*ends, 0.0) - room, max(*ends, 0.0) + room, NAME_WIDTH, WIDTH - RIGHT)
    shares = list(dict.fromkeys(one.read_share for one in rows))
    return [
        _chart(share, [one for one in rows if one.read_share == share], x)
        for share in shares
    ]


def _chart(share: float, rows: Sequence[Difference], x: Scale) -> Markup:
    bottom = TOP + ROW * len(rows)
    parts = [element('text', f'{percent(share, 0)} read', x=4, y=14, class_='name strong')]
    for value in ticks(x.low, x.high):
        at = x(value)
        kind = 'axis' if abs(value) < 1e-9 else 'grid'
        parts.append(element('line', x1=at, x2=at, y1=TOP - 10, y2=bottom - 4, class_=kind))
        sign = '+' if value > 1e-9 else ''
        parts.append(element('text', f'{sign}{value:.4g}'.replace('-', '−'), x=at,
                             y=bottom + 10, class_='tick x'))
    for k, one in enumerate(rows):
        parts.append(_row(one, TOP + ROW * (k + 0.35), x))
    label = f'mAP of the scheduler less that of others at {percent(share, 0)} read: ' + '; '.join(
        _text(one) for one in rows
    )
    return chart(WIDTH, bottom + 18, label, *parts)


def _row(one: Difference, y: float, x: Scale) -> Markup:
    sure = 'better' if one.low > 0 else 'worse' if one.high < 0 else 'open'
    low, high = x(100 * one.low), x(100 * one.high)
    return element(
        'g', title(_text(one)),
        element('text', one.versus.replace('_', ' '), x=NAME_WIDTH - 12, y=y, class_='tick y'),
        element('line', x1=low, x2=high, y1=y, y2=y, class_='interval'),
        element('circle', cx=x(100 * one.difference), cy=y, r=4.4, class_='dot'),
        class_=f'row gap {sure}',
    )


def _text(one: Difference) -> str:
    values = (f'{100 * value:+.1f}'.replace('-', '−')
              for value in (one.difference, one.low, one.high))
    return '{}: {} points, 95\u00a0% in [{}, {}]'.format(one.versus.replace('_', ' '), *values)
