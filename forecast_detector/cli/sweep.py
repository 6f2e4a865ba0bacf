"""
Measure accuracy against cost: the scheduler over p, and every baseline.

Every frame is read once; the rest works on its features, many clips and settings at a time. The
scheduler is brought to READ shares of 1, 1/2, 1/3, 1/4, 1/6 and 1/8 by its p; the baselines read
every 2nd, 3rd, 4th, 6th and 8th frame, scheduled_NAME what the scheduler reads. Single steps are
timed apart, on the first frames. With --reference read what reading every frame gives stands in
the place of the truth, for next to nothing: it is read anyway. The oracle reads where the truth
(or the reference) says that it pays: an upper bound. It takes longer than everything else
together, so it has to be asked for.

With --dataset rosbag --root may be a folder of bags: those that cannot be used are named and
skipped, the rest is measured, and the exit status is 3.
"""

from __future__ import annotations

from collections.abc import Sequence
import csv
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from ..policies.table import BASELINES, SWEPT
from ..records import write
from ..records.evaluation import measure
from ..records.sweep import Sweep, SweepPoint
from ..report.tables import sweep_table
from . import common, options
from .command import option
from .common import DetectorOptions, JsonOptions, StreamOptions, WishOptions
from .data import MeasuredOn, SkippedBags


@dataclass(frozen=True, kw_only=True)
class SweepCommand(JsonOptions, DetectorOptions, StreamOptions, WishOptions, MeasuredOn):
    """Options of ``sweep``."""

    baselines: Sequence[str] = option(
        f'of {", ".join(BASELINES)}; default: all but oracle, which takes longer than the rest '
        'together. None after it: the scheduler alone, to choose p in little more than the time '
        'of one pass', SWEPT, choices=BASELINES, nargs='*', metavar='NAME')
    time_pass: bool = option(
        'run one pass of evaluate --policy read, too, to compare times (pass_s beside sweep_s)',
        False)
    csv: str | None = option('write the points as a table', None, metavar='FILE')
    plot: str | None = option('draw mAP (or agreement) against share and speed', None,
                              metavar='FILE')

    def run(self) -> int:
        """Sweep."""
        from ..evaluation.points import TOLERANCE
        from ..evaluation.provenance import origin
        from ..evaluation.trade_off import trade_off, with_pass
        from ..policies.registry import check_forecasts

        self._check()
        skipped = SkippedBags()
        detector, checkpoint = self.make_detector()
        for policy in self.baselines:
            check_forecasts(policy, detector)
        dataset = self.open_data(detector.labels, skipped)
        self.check_truth(dataset)
        judging = self.judging(self.score_threshold)
        with tqdm(unit='frame', dynamic_ncols=True) as bar:
            found, clips = trade_off(
                detector, dataset, self.baselines, self.changes(), self.wish(), bar.update,
                bar.set_description, self.on_bad(skipped), judging,
            )
        if found.unmet_shares:
            shares = ', '.join(f'{share:.2f}' for share in found.unmet_shares)
            common.note(f'no p gives a READ share of {shares}, give or take {TOLERANCE}; nothing '
                        'is compared there')
        result = replace(found, skipped=skipped.rows, provenance={
            **origin(self.weights, checkpoint.sha256, detector), **self.changes(),
            **self.describe(dataset.clips),
        })
        self._write(result)
        if self.time_pass:
            # What was measured so far outlives an interruption of the pass.
            with tqdm(total=found.frames, desc='one pass', unit='frame') as bar:
                result = with_pass(result, detector, clips, dataset.labels, bar.update, judging)
            self._write_json(result)
        if self.json == '-':
            write('-', result)
        else:
            measured = measure(result.provenance)
            print(sweep_table(result, self.wish_in_words(measured, judging.by_reading)))
        return skipped.status

    def _check(self) -> None:
        self.check_data()
        self.check_reference()
        self.check_has_truth()
        if 'oracle' in self.baselines:
            self.refuse(['no_commit'], 'the oracle takes none; leave it out of --baselines')
        options.check_outputs(self, ('json', 'csv', 'plot'))
        options.check_plot(self.plot)

    def _write(self, result: Sweep) -> None:
        if self.csv:
            _write_csv(self.csv, result.points)
        if self.plot:
            from ..report.plots import plot_tradeoff
            plot_tradeoff(result.points, self.plot, measure(result.provenance))
        self._write_json(result)

    def _write_json(self, result: Sweep) -> None:
        """Write the file; stdout gets it once, at the end."""
        if self.json and self.json != '-':
            write(self.json, result)


def _write_csv(path: str, points: Sequence[SweepPoint]) -> None:
    rows = []
    for point in points:
        row = {key: value for key, value in vars(point).items() if key != 'by_speed'}
        for speed, values in point.by_speed.items():
            row.update({f'{key}_{speed}': value for key, value in vars(values).items()})
        rows.append(row)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
