"""The scheduler against each baseline at the same share of READs, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ..records.evaluation import measure
from ..records.sweep import Difference, Sweep
from .axes import RIGHT, Scale, ticks, WIDTH
from .svg import chart, element, percent, signed, title

ROW, NAME_WIDTH, TOP = 22.0, 124.0, 34.0


def compared(sweep: Sweep) -> list[Markup]:
    """Draw a chart for each share of READs that was compared, on one scale."""
    # Reading every frame is no baseline at the same share.
    rows = [one for one in sweep.differences if one.versus != 'p=1']
    ends = [100 * end for one in rows for end in _ends(one)]
    if not ends:
        return []
    room = 0.06 * (max(*ends, 0.0) - min(*ends, 0.0)) or 1.0
    x = Scale(min(*ends, 0.0) - room, max(*ends, 0.0) + room, NAME_WIDTH, WIDTH - RIGHT)
    shares = list(dict.fromkeys(one.read_share for one in rows))
    return [
        _chart(share, [one for one in rows if one.read_share == share], x,
               measure(sweep.provenance))
        for share in shares
    ]


def _chart(share: float, rows: Sequence[Difference], x: Scale, measured: str) -> Markup:
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
    told = '; '.join(_text(one) for one in rows)
    label = f'{measured} of the scheduler less that of others at {percent(share, 0)} read: {told}'
    return chart(WIDTH, bottom + 18, label, *parts)


def _row(one: Difference, y: float, x: Scale) -> Markup:
    least, most = _ends(one)
    settled = one.low is not None
    sure = 'better' if settled and least > 0 else 'worse' if settled and most < 0 else 'open'
    low, high = x(100 * least), x(100 * most)
    return element(
        'g', title(_text(one)),
        element('text', one.versus.replace('_', ' '), x=NAME_WIDTH - 12, y=y, class_='tick y'),
        element('line', x1=low, x2=high, y1=y, y2=y, class_='interval'),
        element('circle', cx=x(100 * one.difference), cy=y, r=4.4, class_='dot'),
        class_=f'row gap {sure}',
    )


def _ends(one: Difference) -> tuple[float, float]:
    """Give the ends of an interval; the difference itself where there is none."""
    if one.low is None or one.high is None:
        return one.difference, one.difference
    return one.low, one.high


def _text(one: Difference) -> str:
    value, low, high = (signed(100 * value) for value in (one.difference, *_ends(one)))
    text = f'{one.versus.replace("_", " ")}: {value} points'
    return text if one.low is None else f'{text}, 95\u00a0% in [{low}, {high}]'
