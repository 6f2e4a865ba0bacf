"""The trade-off as a picture, like the paper's Fig. 5."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..policies.table import marks
from ..records.sweep import SweepPoint


def new_figure(width: float, height: float) -> Any:
    """
    Make an empty figure, sides in inches.

    :raises RuntimeError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError(
            'the plot is drawn by matplotlib, which is not installed; '
            "pip install 'forecast_detector[eval]'"
        ) from error
    return Figure(figsize=(width, height), layout='constrained')


def plot_tradeoff(
    points: Sequence[SweepPoint], path: str | Path, measured: str = 'mAP'
) -> None:
    """
    Draw accuracy against the share of READs and against frames per second, one line a policy.

    :param path: the picture; its suffix says the format.
    :param measured: what the accuracy is, ``mAP`` or ``agreement``.
    :raises RuntimeError: if matplotlib is not installed.
    """
    figure = new_figure(10, 4)
    by_share, by_speed = figure.subplots(1, 2, sharey=True)
    whole = [point for point in points if point.p == 1.0]
    for policy, mark in marks(point.policy for point in points).items():
        chosen = [q for q in points if q.policy == policy and q.ap50 is not None]
        if not chosen:
            continue
        # Reading every frame is where every policy begins.
        line = sorted(
            chosen if policy == 'scheduler' else whole + chosen, key=lambda q: q.read_share
        )
        accuracy = [100 * (point.ap50 or 0.0) for point in line]
        for axes, x in (
            (by_share, [q.read_share for q in line]),
            (by_speed, [1e3 / q.ms_per_frame for q in line]),
        ):
            axes.plot(x, accuracy, marker=mark.marker, label=policy)
    by_share.set(xlabel='share of frames read', ylabel=f'{measured}@0.5 (%)')
    by_speed.set(xlabel='frames per second')
    for axes in (by_share, by_speed):
        axes.grid(alpha=0.3)
    if by_share.lines:
        by_share.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
