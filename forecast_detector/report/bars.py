"""Accuracy in parts: by the speed of the objects, by class."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .axes import HEIGHT, LEFT, Plot, RIGHT, Scale, WIDTH
from .run import Run, SPEEDS
from .svg import chart, element, join, percent, title

ROW, NAME_WIDTH = 21.0, 132.0
NAME_LENGTH, ONE_COLUMN = 20, 3


def by_speed(runs: Sequence[Run]) -> Markup:
    """Draw a bar for each speed and run."""
    speeds = [speed for speed in SPEEDS if any(speed in run.by_speed for run in runs)]
    # Room for the figure on a bar of 100 %.
    plot = Plot.over((0, len(speeds)), (0, 108))
    width = min(46.0, 0.78 * (plot.x(1) - plot.x(0)) / len(runs))
    parts = [plot.frame('speed of the objects', 'mAP@0.5, %', x_ticks=())]
    for place, speed in enumerate(speeds):
        middle = plot.x(place + 0.5)
        parts.append(element('text', speed, x=middle, y=plot.y.start + 18, class_='tick x'))
        for k, run in enumerate(runs):
            if speed in run.by_speed:
                left = middle + (k - len(runs) / 2) * width
                parts.append(_bar(plot, run, speed, left + 1.5, width - 3))
    label = 'mAP of slow, medium and fast objects: ' + '; '.join(
        f'run {run.key}: ' + ', '.join(f'{s} {percent(v)}' for s, v in run.by_speed.items())
        for run in runs
    )
    return chart(WIDTH, HEIGHT, label, *parts)


def _bar(plot: Plot, run: Run, speed: str, left: float, width: float) -> Markup:
    value = 100 * run.by_speed[speed]
    top = plot.y(value)
    return element(
        'g', title(f'run {run.key}, {speed}: {percent(value / 100)}'),
        element('rect', x=left, y=top, width=width, height=max(0.0, plot.y.start - top), rx=3.0,
                class_='bar'),
        element('text', f'{value:.0f}', x=left + width / 2, y=top - 6, class_='value'),
        class_=f'run-{run.key}',
    )


def by_class(runs: Sequence[Run]) -> list[Markup]:
    """Draw a line for each class, best first, and on it a point for each run; in two columns."""
    names = list(dict.fromkeys(name for run in runs for name in run.by_class))
    names.sort(key=lambda name: -max(run.by_class.get(name, -1.0) for run in runs[:1]))
    half = len(names) if len(names) <= ONE_COLUMN else -(-len(names) // 2)
    return [_classes(part, runs) for part in (names[:half], names[half:]) if part]


def _classes(names: Sequence[str], runs: Sequence[Run]) -> Markup:
    x = Scale(0, 100, NAME_WIDTH, WIDTH - RIGHT - 8)
    bottom = 30 + ROW * len(names)
    parts: list[Markup] = [element('text', 'AP@0.5, %', x=x.end + 8, y=14, class_='name end')]
    for value in (0, 25, 50, 75, 100):
        at = x(value)
        parts.append(element('line', x1=at, x2=at, y1=28, y2=bottom - 6, class_='grid'))
        parts.append(element('text', f'{value}', x=at, y=bottom + 8, class_='tick x'))
    parts += [_row(name, 40 + ROW * k, x, runs) for k, name in enumerate(names)]
    return chart(WIDTH, bottom + 16, f'AP of each of {len(names)} classes', *parts)


def _row(name: str, y: float, x: Scale, runs: Sequence[Run]) -> Markup:
    shown = name if len(name) <= NAME_LENGTH else name[:NAME_LENGTH - 1] + '…'
    values = [(run, 100 * run.by_class[name]) for run in runs if name in run.by_class]
    low, high = min(v for _, v in values), max(v for _, v in values)
    stem = element('line', x1=x(0.0 if len(runs) == 1 else low), x2=x(high), y1=y, y2=y,
                   class_='stem')
    text = ', '.join(f'{run.key} {percent(value / 100)}' for run, value in values)
    dots = [
        element('circle', cx=x(value), cy=y, r=4.6, class_=f'dot run-{run.key}')
        for run, value in reversed(values)
    ]
    return element(
        'g', title(f'{name}: {text}'),
        element('rect', x=0, y=y - ROW / 2, width=WIDTH - LEFT + RIGHT, height=ROW,
                class_='hover'),
        element('text', shown, x=NAME_WIDTH - 12, y=y, class_='tick y'), stem, join(dots),
        class_='row',
    )
