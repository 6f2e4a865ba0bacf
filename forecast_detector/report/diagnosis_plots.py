"""A diagnosis as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..records.diagnosis import ClassMistakes, Cuts, Diagnosis, ForecastRatio
from ..records.evaluation import Interval
from .diagnosis_table import cut_name
from .plots import new_figure


def plot_diagnosis(result: Diagnosis, path: str | Path) -> None:
    """
    Draw reliability, risk against coverage, forecast error and what happens at cuts.

    :param path: the picture; its suffix says the format.
    :raises RuntimeError: if matplotlib is not installed.
    """
    figure = new_figure(11, 8)
    (reliable, risky), (error_axes, cut_axes) = figure.subplots(2, 2)
    reliable.plot([0, 1], [0, 1], color='0.7', lw=1)
    for judged in result.classifier:
        name = 'all read' if judged.p == 1 else f'p = {judged.p:g}'
        bins = [b for b in judged.reliability if b.count]
        reliable.plot([b.confidence for b in bins], [b.served for b in bins], 'o-',
                      label=f'{name}, ECE {judged.calibration_error:.2f}')
        risky.plot([r.coverage for r in judged.risk], [r.risk for r in judged.risk],
                   label=_with_auroc(name, judged.auroc))
    reliable.set(xlabel='confidence', ylabel='share of forecasts that serve')
    risky.set(xlabel='share of forecasts trusted', ylabel='share of those that do not serve')
    for axes in (reliable, risky):
        axes.legend()
    _plot_ratios(error_axes, result.forecast_error)
    _plot_cuts(cut_axes, result.cuts)
    for axes in (reliable, risky, error_axes):
        axes.grid(alpha=0.3)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def plot_classes(classes: Sequence[ClassMistakes], path: str | Path) -> None:
    """
    Draw what becomes of each class's objects as bars, the best class first.

    :raises RuntimeError: if matplotlib is not installed.
    """
    shown = sorted((c for c in classes if c.objects), key=lambda c: -c.right / c.objects)
    figure = new_figure(9, 1.2 + 0.26 * len(shown))
    axes = figure.subplots()
    names = [c.label for c in shown]
    start = np.zeros(len(shown))
    for kind, colour, count in (
        ('named rightly', '#2a6fbb', lambda c: c.right),
        ('taken for another class', '#d9822b', lambda c: sum(c.taken_for.values())),
        ('missed', '0.8', lambda c: c.missed),
    ):
        share = np.array([count(c) / c.objects for c in shown])
        axes.barh(names, share, left=start, color=colour, label=kind)
        start += share
    for row, one in enumerate(shown):
        if one.taken_for:
            axes.text(1.01, row, ', '.join(list(one.taken_for)[:2]), va='center', fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6),
             xlabel='share of the objects, every frame read')
    axes.legend(loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _with_auroc(name: str, auroc: Interval | None) -> str:
    return name if auroc is None else f'{name}, AUROC {auroc.value:.2f}'


def _plot_ratios(axes: Any, ratios: Sequence[ForecastRatio]) -> None:
    known = [(r.ahead, Interval(r.ratio, r.low, r.high)) for r in ratios if r.ratio is not None]
    ahead = [at for at, _ in known]
    axes.axhline(1, color='0.7', lw=1)
    means = [one for _, one in known]
    axes.errorbar(ahead, [one.value for one in means], fmt='o-', capsize=3, yerr=_arms(means))
    axes.set(xlabel='forecasts in a row', ylabel='error of forecasts over that of copies',
             xticks=ahead)


def _arms(means: Sequence[Interval]) -> list[list[float]]:
    """Give how far intervals reach down and up; not at all where there are none."""
    return [[0.0 if m.low is None else m.value - m.low for m in means],
            [0.0 if m.high is None else m.high - m.value for m in means]]


def _plot_cuts(axes: Any, cuts: Sequence[Cuts] | None) -> None:
    if not cuts:
        axes.set_axis_off()
        return
    names = [cut_name(cut) for cut in cuts]
    means = [cut.mean for cut in cuts]
    axes.barh(names, [m.value for m in means], color='0.6', capsize=3, xerr=_arms(means))
    axes.invert_yaxis()
    axes.set(xlabel='frames from a cut until the new object is found')
