"""Forecast errors along a clip, the scheduler beside the fixed rule."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ..policies.table import OTHERS, TABLE
from ..records.trace import ErrorCurve
from .axes import Plot, WIDTH
from .svg import chart, element, path, percent, title

HEIGHT = 190.0


def error_chart(curves: Sequence[ErrorCurve]) -> Markup:
    """Draw the mean error of each frame, a line for each policy of one clip."""
    curves = [curve for curve in curves if curve.error]
    highest = max(max(curve.error) for curve in curves)
    last = max(max(curve.index) for curve in curves)
    plot = Plot.over((0, last), (0, highest * 1.1), HEIGHT)
    parts = [plot.frame('frame', 'mean error of the forecast')]
    for curve in reversed(curves):
        at = [(plot.x(i), plot.y(e)) for i, e in zip(curve.index, curve.error)]
        parts.append(element(
            'g', title(f'{curve.policy}: {summary(curve)}'),
            element('path', d=path(at), class_='line'), class_=style(curve.policy),
        ))
    label = f'mean forecast error of {curves[0].clip}: ' + '; '.join(
        f'{curve.policy}, {summary(curve)}' for curve in curves
    )
    return chart(WIDTH, HEIGHT, label, *parts)


def summary(curve: ErrorCurve) -> str:
    """Say how often forecasts were used, and how far they were from reading."""
    used = [e for e, action in zip(curve.error, curve.action) if action == 'FORECAST']
    share = percent(len(used) / max(1, len(curve.error)), 0)
    mean = f', mean error {sum(used) / len(used):.2f}' if used else ''
    return f'{share} forecast{mean}'


def style(policy: str) -> str:
    """Name the classes of a line as the trade-off does."""
    entry = TABLE.get(policy.split(',')[0])
    return (entry.mark if entry else OTHERS[0]).classes
