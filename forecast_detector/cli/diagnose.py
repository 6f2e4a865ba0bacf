"""
Look into weights on annotated video: scheduler, forecasts, cuts.

The scheduler as a classifier: does its confidence tell which forecasts serve, that is, find
every object that reading finds? Once where every frame is read, and on the streams that it steers
at each --p: there, every frame is tried both ways. Forecast features against copies of the last
ones read. The clips end to end as one stream, without a reset: frames from each cut until the
new object is found. And what becomes of each class's objects: found, taken for another class, or
missed. Intervals (95 %) are bootstraps over clips, or cuts.

With --dataset rosbag --root may be a folder of bags: those that cannot be used are named and
skipped, the rest is looked into, and the exit status is 3.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from tqdm import tqdm

from ..config import StreamConfig
from ..records import write
from ..records.diagnosis import Diagnosis
from ..report.diagnosis_table import diagnosis_table
from . import common, options
from .data import add_data, check_data, describe_data, open_data, Skipped, tell_unfinished

LABEL_IOU = 0.7  # the paper's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``diagnose``."""
    parser.add_argument('--weights', required=True, help='file or shipped name, such as foda')
    add_data(parser)
    parser.add_argument('--p', type=options.unit, nargs='*', default=[StreamConfig().p],
                        help='thresholds of steered streams; default: %(default)s')
    parser.add_argument('--read-every', type=options.whole(1), nargs='*', default=[2, 4],
                        metavar='K',
                        help='for the cuts: fixed policies beside the scheduler; '
                             'default: %(default)s')
    parser.add_argument('--ahead', type=options.whole(1), default=4, metavar='N',
                        help='forecasts in a row, at most; default: %(default)s')
    parser.add_argument('--success-iou', type=float, metavar='IOU',
                        help='overlap from which an object counts as found for the labels; '
                             f'default: that of the training, or else {LABEL_IOU:g}')
    parser.add_argument('--plot', metavar='FILE', help='draw all but the classes as one picture')
    parser.add_argument('--plot-classes', metavar='FILE',
                        help='draw what becomes of the objects of each class')
    common.add_input(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``diagnose``."""
    from ..diagnosis.diagnose import diagnose, label_iou
    from ..evaluation.provenance import origin
    from ..evaluation.store import FeatureStore

    _check(args)
    skipped = Skipped()
    detector, checkpoint = common.make_detector(args)
    success_iou = label_iou(checkpoint.info) if args.success_iou is None else args.success_iou
    if not detector.network.forecasts:
        raise ValueError("these weights forecast nothing (combination 'recurrent'); there is "
                         'nothing to diagnose')
    dataset = open_data(args, detector.labels, skipped)
    with tqdm(unit='frame', dynamic_ncols=True) as bar:
        bar.set_description('reading')
        store = FeatureStore(detector, dataset.clips, bar.update,
                             on_bad=skipped.clips_of(args))
        found, no_cuts = diagnose(store, dataset.labels, args.p, args.read_every, args.ahead,
                                  success_iou, bar.update, bar.set_description)
    result = replace(found, skipped=skipped.rows, provenance={
        **origin(str(args.weights), checkpoint.sha256, detector), 'success_iou': success_iou,
        **describe_data(args), **tell_unfinished(dataset.clips),
    })
    _write(args, result)
    if no_cuts:
        common.note(f'cuts are left out: {no_cuts}')
    return skipped.status


def _check(args: argparse.Namespace) -> None:
    check_data(args)
    options.check_outputs(args, ('json', 'plot', 'plot_classes'))
    options.check_plot(args.plot)
    options.check_plot(args.plot_classes, '--plot-classes')
    if args.success_iou is not None and not 0 < args.success_iou < 1:
        raise options.OptionError(f'--success-iou: {args.success_iou} is outside (0, 1)')


def _write(args: argparse.Namespace, result: Diagnosis) -> None:
    if args.plot:
        from ..report.diagnosis_plots import plot_diagnosis
        plot_diagnosis(result, args.plot)
    if args.plot_classes:
        from ..report.diagnosis_plots import plot_classes
        plot_classes(result.classes, args.plot_classes)
    if args.json:
        write(args.json, result)
    if args.json != '-':
        print(diagnosis_table(result))
