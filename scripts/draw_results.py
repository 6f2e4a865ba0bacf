#!/usr/bin/env python3
"""
Draw the accuracy of sweeps against the share of frames read: as recorded, and at fast motion.

    .venv/bin/python scripts/draw_results.py docs/runs/foda_sweep.csv \
        docs/runs/foda_sweep_stride3.csv docs/images/results.png
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from matplotlib.figure import Figure

from forecast_detector.policies.table import marks

# The policies that are drawn; the others are in the appendix's figure.
DRAWN = marks(('scheduler', 'alternate', 'moved', 'kalman', 'hold'))
TITLES = ("the clips' own speed", 'three times the motion')


def read(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Read the points of each policy of a sweep: share of READs and mAP@0.5 in percent."""
    points: dict[str, list[tuple[float, float]]] = {policy: [] for policy in DRAWN}
    with path.open(newline='') as file:
        for row in csv.DictReader(file):
            if row['policy'] in points:
                point = float(row['read_share']), 100 * float(row['map50'])
                points[row['policy']].append(point)
    return {policy: sorted(found) for policy, found in points.items()}


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('sweep', type=Path, help='CSV of sweep')
    parser.add_argument('fast', type=Path, help='CSV of sweep --stride 3')
    parser.add_argument('out', type=Path)
    args = parser.parse_args()

    figure = Figure(figsize=(10, 4), layout='constrained')
    for axes, title, path in zip(
        figure.subplots(1, 2, sharey=True), TITLES, (args.sweep, args.fast)
    ):
        points = read(path)
        whole = [points['scheduler'][-1]]
        for policy, mark in DRAWN.items():
            line = points[policy] + (whole if policy != 'scheduler' else [])
            axes.plot(*zip(*line), marker=mark.marker, label=policy)
        axes.set(xlabel='share of frames read', title=title)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel('mAP@0.5 (%)')
    figure.axes[1].legend()
    figure.savefig(args.out, dpi=100)


if __name__ == '__main__':
    main()
