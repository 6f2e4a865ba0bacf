"""Accuracy against cost: the policies of a sweep as lines, the runs as lettered points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import math

from markupsafe import Markup

from ..policies.table import Mark, marks
from ..records.evaluation import measure
from ..records.sweep import Sweep, SweepPoint
from .axes import HEIGHT, padded, Plot, WIDTH
from .conditions import same_times
from .run import measures, Run
from .svg import chart, element, join, path, percent, title


@dataclass(frozen=True)
class Line:
    """One policy: its points from cheap to dear, and how it is drawn."""

    policy: str
    mark: Mark
    points: list[SweepPoint]


def lines(sweep: Sweep) -> list[Line]:
    """Gather the points with an accuracy by policy, the scheduler first."""
    full = [q for q in sweep.points if q.p == 1.0 and q.ap50 is not None]
    result = []
    for name, drawn in marks(q.policy for q in sweep.points).items():
        own = [q for q in sweep.points if q.policy == name and q.ap50 is not None]
        if not own:
            continue
        # Reading every frame is where every policy begins.
        own = own if name == 'scheduler' else own + full
        result.append(Line(name, drawn, sorted(own, key=lambda q: q.read_share)))
    return result


def mark(x: float, y: float, sides: int, size: float = 4.2) -> Markup:
    """Draw a mark of the given number of sides, see :class:`Mark`."""
    if not sides:
        return element('circle', cx=x, cy=y, r=size, class_='mark')
    turn = math.pi / 2 * (1 if sides < 0 else -1) + (math.pi / 4 if sides == 4 else 0)
    around = (turn + 2 * math.pi * k / abs(sides) for k in range(abs(sides)))
    corners = [(x + 1.25 * size * math.cos(a), y + 1.25 * size * math.sin(a)) for a in around]
    return element('path', d=path(corners) + 'Z', class_='mark')


def legend(drawn: Sequence[Line]) -> list[tuple[str, Markup]]:
    """Give the name of each line and a small picture of it."""
    return [
        (line.policy.replace('_', ' '), element(
            'svg', element('path', d='M1 7H29', class_='line'), mark(15, 7, line.mark.sides),
            viewBox='0 0 30 14', class_=f'key {line.mark.classes}', aria_hidden='true',
        )) for line in drawn
    ]


def by_share(sweep: Sweep | None, runs: Sequence[Run]) -> Markup:
    """Draw accuracy against the share of frames that are read."""
    return _draw(
        'at IoU 0.5 against the share of frames read', sweep, runs,
        lambda q: 100 * q.read_share,
        lambda run: None if run.result.read_share is None else 100 * run.result.read_share,
        'frames read', lambda v: f'{v:g}\u00a0%', (0.0, 100.0),
    )


def by_time(sweep: Sweep | None, runs: Sequence[Run]) -> Markup:
    """Draw accuracy against milliseconds per frame, of runs that were timed as the first one."""
    alike = [run for run in runs if same_times(run, runs[0])]
    return _draw(
        'at IoU 0.5 against milliseconds per frame', sweep, alike,
        lambda q: q.ms_per_frame, lambda run: run.result.ms_per_frame, 'ms per frame',
    )


def _draw(
    label: str, sweep: Sweep | None, runs: Sequence[Run],
    x_of: Callable[[SweepPoint], float], x_of_run: Callable[[Run], float | None],
    x_label: str, x_text: Callable[[float], str] = lambda v: f'{v:g}',
    x_range: tuple[float, float] | None = None,
) -> Markup:
    drawn = lines(sweep) if sweep else []
    places = [
        (run, x, run.result.ap50) for run in runs
        if (x := x_of_run(run)) is not None and run.result.ap50 is not None
    ]
    at = [(x_of(q), q.ap50 or 0.0) for line in drawn for q in line.points]
    at += [(x, y) for _, x, y in places]
    plot = Plot.over(
        x_range or padded([x for x, _ in at], floor=0.0),
        padded([100 * y for _, y in at], floor=0.0, ceiling=100.0),
    )
    name = measure(sweep.provenance) if sweep else measures(runs)
    parts = [plot.frame(x_label, f'{name}@0.5, %', x_text)]
    parts += [_line(line, plot, x_of, name) for line in reversed(drawn)]
    parts += [_run_mark(run, plot.x(x), plot.y(100 * y), x_label, x) for run, x, y in places]
    return chart(WIDTH, HEIGHT, f'{name} {label}', *parts)


def _line(
    line: Line, plot: Plot, x_of: Callable[[SweepPoint], float], measured: str
) -> Markup:
    ordered = sorted(line.points, key=x_of)
    at = [(plot.x(x_of(q)), plot.y(100 * (q.ap50 or 0.0))) for q in ordered]
    marks = [
        element('g', title(describe(q, measured)), mark(x, y, line.mark.sides), class_='point')
        for q, (x, y) in zip(ordered, at)
    ]
    return element(
        'g', element('path', d=path(at), class_='line'), join(marks),
        class_=line.mark.classes,
    )


def describe(point: SweepPoint, measured: str = 'mAP') -> str:
    """Say in words what a point of a sweep is."""
    setting = f', p = {point.p:.4g}' if point.p is not None else ''
    if point.read_every is not None:
        setting = f', reads 1 in {point.read_every:g}'
    found = f'{measured} {percent(point.ap50 or 0.0)}'
    found += '' if point.recall50 is None else f', recall {percent(point.recall50)}'
    return (
        f'{point.policy.replace("_", " ")}{setting}: {found}, '
        f'{percent(point.read_share, 0)} read, {point.ms_per_frame:.1f} ms a frame'
    )


def _run_mark(run: Run, x: float, y: float, x_label: str, value: float) -> Markup:
    return element(
        'g', title(
            f'run {run.key}, {run.policy}: {run.measure} {percent(run.result.ap50 or 0.0)}, '
            f'{value:.4g} {x_label}'
        ),
        element('circle', cx=x, cy=y, r=9.0, class_='disc'),
        element('text', run.key, x=x, y=y, class_='letter'), class_=f'run-{run.key}',
    )
