"""
Examine weights on video: scheduler, forecasts, cuts.

The scheduler as a classifier: does its confidence tell which forecasts serve, that is, find
every object that reading finds? Once where every frame is read, and on the streams that it steers
at each --p: there, every frame is tried both ways. Forecast features against copies of the last
ones read. The clips end to end as one stream, without a reset: frames from each cut until the
new object is found. And what becomes of each class's objects: found, taken for another class, or
missed. Intervals (95 %) are bootstraps over clips, or cuts. With --reference read what reading
every frame gives stands in the place of the truth; nothing is said of classes then.

With --dataset rosbag --root may be a folder of bags: those that cannot be used are named and
skipped, the rest is examined, and the exit status is 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tqdm import tqdm

from ..config import StreamConfig
from ..diagnosis import LABEL_IOU
from ..records import write
from ..records.diagnosis import Diagnosis
from ..report.diagnosis_table import diagnosis_table
from . import common, options
from .command import option, stream_option
from .common import DetectorOptions, JsonOptions
from .data import MeasuredOn, SkippedBags


@dataclass(frozen=True, kw_only=True)
class DiagnoseCommand(JsonOptions, DetectorOptions, MeasuredOn):
    """Options of ``diagnose``."""

    p: Sequence[float] = stream_option(
        'p', f'thresholds of steered streams; default: {StreamConfig().p}', (StreamConfig().p,),
        nargs='*')
    read_every: Sequence[int] = option(
        'for the cuts: fixed policies beside the scheduler; default: 2 4', (2, 4),
        options.whole(1), nargs='*', metavar='K')
    ahead: int = option('forecasts in a row, at most', 4, options.whole(1), metavar='N')
    success_iou: float | None = option(
        'overlap from which an object counts as found for the labels; default: that of the '
        f'training, or else {LABEL_IOU:g}', None, float, metavar='IOU')
    plot: str | None = option('draw all but the classes as one picture', None, metavar='FILE')
    plot_classes: str | None = option('draw what becomes of the objects of each class', None,
                                      metavar='FILE')

    def run(self) -> int:
        """Examine the weights."""
        from ..diagnosis.diagnose import diagnose, label_iou
        from ..evaluation.provenance import origin
        from ..evaluation.reference import judged_store
        from ..evaluation.store import FeatureStore

        self._check()
        skipped = SkippedBags()
        detector, checkpoint = self.make_detector()
        if not detector.network.forecasts:
            raise ValueError("these weights forecast nothing (combination 'recurrent'); there is "
                             'nothing to diagnose')
        success_iou = self.success_iou or label_iou(checkpoint.info)
        dataset = self.open_data(detector.labels, skipped)
        self.check_truth(dataset)
        with tqdm(unit='frame', dynamic_ncols=True) as bar:
            bar.set_description('reading')
            store = FeatureStore(detector, dataset.clips, bar.update,
                                 on_bad=self.on_bad(skipped))
            judging = self.judging(self.score_threshold)
            if judging.reading is not None:
                bar.set_description('reference')
                store = judged_store(store, judging.reading, bar.update)
            found, no_cuts = diagnose(store, dataset.labels, self.p, self.read_every, self.ahead,
                                      success_iou, bar.update, bar.set_description, judging)
        self._write(replace(found, skipped=skipped.rows, provenance={
            **origin(self.weights, checkpoint.sha256, detector), 'success_iou': success_iou,
            **self.describe(dataset.clips),
        }))
        if no_cuts:
            common.note(f'cuts are left out: {no_cuts}')
        return skipped.status

    def _check(self) -> None:
        self.check_data()
        self.check_reference()
        self.check_has_truth()
        if self.reference == 'read':
            self.refuse(['plot_classes'], 'reading every frame always agrees with itself; it is '
                                          'for --reference truth')
        options.check_outputs(self, ('json', 'plot', 'plot_classes'))
        options.check_plot(self.plot)
        options.check_plot(self.plot_classes, '--plot-classes')
        if self.success_iou is not None and not 0 < self.success_iou < 1:
            raise options.OptionError(f'--success-iou: {self.success_iou} is outside (0, 1)')

    def _write(self, result: Diagnosis) -> None:
        if self.plot:
            from ..report.diagnosis_plots import plot_diagnosis
            plot_diagnosis(result, self.plot)
        if self.plot_classes:
            from ..report.diagnosis_plots import plot_classes
            plot_classes(result.classes, self.plot_classes)
        if self.json:
            write(self.json, result)
        if self.json != '-':
            print(diagnosis_table(result))
