"""Histograms of step times, READ and FORECAST apart."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
import numpy as np
from numpy.typing import NDArray

from ..records.trace import ACTIONS
from .axes import HEIGHT, Plot, ticks, WIDTH
from .run import Run
from .svg import chart, element, join, percent, title

BINS, LOW = 56, 190.0
# The axis ends behind this share of the steps, but at most at so many of the largest median: a
# few hiccups would flatten the rest. Slower steps are counted in the last bin.
SHOWN, LONGEST = 98.0, 4.0
# Labels that start nearer than so many pixels would overlap.
LABEL = 62.0

Floats = NDArray[np.floating]
Times = dict[str, NDArray[np.float64]]


def step_times(run: Run) -> Times:
    """Gather the times of a trace by action, milliseconds; empty where nothing was timed."""
    trace = run.result.trace
    frames = [frame for clip in trace.clips for frame in clip.frames] if trace else []
    times = {
        action: np.array([f.latency_ms for f in frames if f.action == action])
        for action in ACTIONS
    }
    return {action: values for action, values in times.items() if values.any()}


def longest(runs: Sequence[Run]) -> float:
    """Give the end of the axis that the histograms share."""
    every = [values for run in runs for values in step_times(run).values()]
    usual = max(float(np.percentile(values, SHOWN)) for values in every) * 1.15
    median = max(float(np.median(values)) for values in every)
    # The first tick behind it.
    end = min(usual, LONGEST * median) or usual
    step = ticks(0, end, 8)[1]
    return step * float(np.ceil(end / step - 1e-9))


def slower(run: Run, end_ms: float) -> int:
    """Count the steps that took longer than the axis reaches."""
    return sum(int((values > end_ms).sum()) for values in step_times(run).values())


def histogram(run: Run, end_ms: float, height: float = HEIGHT) -> Markup:
    """
    Draw how often steps took how long.

    :param end_ms: of the axis; longer steps are counted at its end.
    :param height: of the chart; ``LOW`` where several stand below each other.
    """
    times = step_times(run)
    edges = np.linspace(0, end_ms, BINS + 1)
    total = sum(len(values) for values in times.values())
    shares = {
        action: 100 * np.histogram(np.minimum(values, end_ms), edges)[0] / total
        for action, values in times.items()
    }
    highest = max(float(share.max()) for share in shares.values())
    plot = Plot.over((0, end_ms), (0, highest * 1.16), height)
    parts = [plot.frame('ms per step', 'frames, %')]
    for action, share in shares.items():
        parts.append(_bars(plot, edges, share, action))
    medians = {action: float(np.median(values)) for action, values in times.items()}
    places = [plot.x(value) for value in medians.values()]
    near = len(places) == 2 and abs(places[0] - places[1]) < LABEL
    for k, (action, value) in enumerate(medians.items()):
        parts.append(_median(plot, value, action, len(times[action]), k if near else 0))
    label = f'run {run.key}, time of steps: ' + ', '.join(
        f'{action} median {np.median(values):.1f} ms' for action, values in times.items()
    )
    return chart(WIDTH, height, label, *parts)


def _bars(plot: Plot, edges: Floats, share: Floats, action: str) -> Markup:
    width = plot.x(float(edges[1])) - plot.x(float(edges[0]))
    return element('g', join(
        element(
            'rect', title(f'{action}, {low:.1f} to {high:.1f} ms: {percent(value / 100)}'),
            x=plot.x(float(low)) + 0.5, width=width - 1, y=plot.y(float(value)),
            height=plot.y.start - plot.y(float(value)), rx=1.0,
        ) for low, high, value in zip(edges, edges[1:], share) if value
    ), class_=f'{action.lower()} bars')


def _median(plot: Plot, value: float, action: str, count: int, line: int) -> Markup:
    x = min(plot.x(value), plot.x.end)
    side = 'end' if x > WIDTH * 0.8 else 'start'
    return element(
        'g', title(f'{action}: median {value:.2f} ms of {count} frames'),
        element('line', x1=x, x2=x, y1=plot.y.end - 2, y2=plot.y.start, class_='median'),
        element('text', f'{value:.1f} ms', x=x + (-5 if side == 'end' else 5),
                y=plot.y.end + 6 + 15 * line, class_=f'value {side}'),
        class_=action.lower(),
    )
