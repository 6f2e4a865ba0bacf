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
from collections.abc import Mapping
from dataclasses import asdict
import json
import sys
from typing import Any

from tqdm import tqdm

from ..config import StreamConfig
from . import common, options
from .data import add_data, check_data, describe_data, open_data, Skipped, tell_unfinished
from .evaluate import origin

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
    from ..diagnosis.classifier import judge
    from ..diagnosis.forecast_ratio import forecast_ratios
    from ..diagnosis.mistakes import find_mistakes
    from ..diagnosis.splices import NoCutError, run_splices
    from ..diagnosis.trials import run_trials
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
        judged = []
        for p in [1.0, *(p for p in args.p if p < 1.0)]:
            bar.set_description(f'scheduler, p={p:g}')
            trials = run_trials(store, p, success_iou, bar.update)
            judged.append({'p': p, **judge(trials, len(store.clips)).to_dict()})
        bar.set_description('forecasts')
        ratios = forecast_ratios(store, args.ahead, bar.update)
        bar.set_description('classes')
        mistakes = find_mistakes(store, dataset.labels, bar.update)
        bar.set_description('cuts')
        cuts, why = None, ''
        try:
            cuts = run_splices(store, dataset.labels, args.p, args.read_every, bar.update)
        except NoCutError as error:
            why = str(error)
    result = {
        'classifier': judged,
        'forecast_error': [asdict(ratio) for ratio in ratios],
        'cuts': [one.to_dict() for one in cuts] if cuts else None,
        'classes': [one.to_dict() for one in mistakes],
        'frames': sum(len(clip) for clip in store.clips),
        'skipped': skipped.rows,
        'provenance': {
            **origin(args, detector, checkpoint.sha256), 'success_iou': success_iou,
            **describe_data(args), **tell_unfinished(dataset.clips),
        },
    }
    _write(args, result)
    if cuts is None:
        print(f'note: cuts are left out: {why}', file=sys.stderr)
    return skipped.status


def label_iou(info: Mapping[str, str]) -> float:
    """Find the overlap that the scheduler's labels asked for when these weights were trained."""
    try:
        return float(json.loads(info['recipe'])['temporal']['success_iou'])
    except (KeyError, TypeError, ValueError):
        return LABEL_IOU


def _check(args: argparse.Namespace) -> None:
    check_data(args)
    options.check_outputs(args, ('json', 'plot', 'plot_classes'))
    options.check_plot(args.plot)
    options.check_plot(args.plot_classes, '--plot-classes')
    if args.success_iou is not None and not 0 < args.success_iou < 1:
        raise options.OptionError(f'--success-iou: {args.success_iou} is outside (0, 1)')


def _write(args: argparse.Namespace, result: dict[str, Any]) -> None:
    if args.plot:
        from ..diagnosis.plots import plot_diagnosis
        plot_diagnosis(result, args.plot)
    if args.plot_classes:
        from ..diagnosis.plots import plot_classes
        plot_classes(result['classes'], args.plot_classes)
    if args.json:
        common.write_json(args.json, result)
    if args.json != '-':
        _print(result)


def _print(result: dict[str, Any]) -> None:
    from ..diagnosis.plots import cut_name

    for judged in result['classifier']:
        print('\nscheduler, ' + ('every frame read' if judged['p'] == 1 else
                                 f'steering at p = {judged["p"]:g}'))
        print(f'  {judged["trials"]} forecasts tried, {judged["read_share"]:.1%} of the frames '
              f'read; {judged["served"]:.1%} of the forecasts serve')
        print(f'  AUROC {_interval(judged["auroc"])}; calibration error '
              f'{judged["calibration_error"]:.3f}; Brier {judged["brier"]:.3f}')
        print(f'  {"confidence":>12}{"forecasts":>11}{"mean":>8}{"serve":>8}')
        for one in judged['reliability']:
            if one['count']:
                print(f'  {one["low"]:5.1f} to {one["high"]:3.1f}{one["count"]:11}'
                      f'{one["confidence"]:8.3f}{one["served"]:8.3f}')
        risks = {round(20 * r['coverage']): r['risk'] for r in judged['risk']}
        print('  trusting the surest: ' + ', '.join(
            f'{5 * k} %: {risks[k]:.1%} fail' for k in (5, 10, 15, 20) if k in risks))
    print('\nforecast error over copy error')
    for ratio in result['forecast_error']:
        value = None if ratio['ratio'] is None else {**ratio, 'value': ratio['ratio']}
        print(f'  {ratio["ahead"]} in a row: {_interval(value)}, {ratio["frames"]} frames')
    print('\nobjects of each class, every frame read')
    print(f'  {"":22}{"objects":>8}{"right":>8}{"missed":>8}{"alarms":>8}   taken for')
    for one in result['classes']:
        others = ', '.join(f'{label} {count}' for label, count in one['taken_for'].items())
        print(f'  {one["label"]:22}{one["objects"]:8}{one["right"]:8}{one["missed"]:8}'
              f'{one["alarms"]:8}   {others}')
    if result['cuts']:
        print('\nfrom a cut until the new object is found')
        print(f'  {"":22}{"read":>7}{"mAP@0.5":>9}{"at once":>9}{"missed":>8}   '
              f'frames of {len(result["cuts"][0]["frames_until_found"])} cuts, less those of read')
    for cut in result['cuts'] or ():
        print(f'  {cut_name(cut):22}{cut["read_share"]:7.1%}{cut["map50"] or 0:9.4f}'
              f'{cut["at_once"]:9}{cut["missed"]:8}   '
              f'{_interval(cut["mean"], 1)}, {_interval(cut["versus_read"], 1)}')


def _interval(value: dict[str, float] | None, digits: int = 3) -> str:
    if value is None:
        return '–'
    return (f'{value["value"]:.{digits}f} [{value["low"]:.{digits}f}, '
            f'{value["high"]:.{digits}f}]')
