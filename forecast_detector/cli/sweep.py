"""
Measure accuracy against cost: the scheduler over p, and every baseline.

Every frame is read once; the rest works on its features, many clips and settings at a time. The
scheduler is brought to READ shares of 1, 1/2, 1/3, 1/4 and 1/6 by its p; the baselines read every
2nd, 3rd, 4th and 6th frame, scheduled_kalman what the scheduler reads. Single steps are timed
apart, on the first frames. The oracle reads where the truth says that it pays: an upper bound. It
takes longer than everything else together, so it has to be asked for.

With --dataset rosbag --root may be a folder of bags: those that cannot be used are named and
skipped, the rest is measured, and the exit status is 3.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import csv
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from ..policies.names import BASELINES
from ..records import write
from ..records.sweep import Sweep, SweepPoint
from ..report.tables import sweep_table
from . import common, options
from .data import add_data, check_data, describe_data, open_data, Skipped, tell_unfinished
from .stream import add_stream, stream_changes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``sweep``."""
    parser.add_argument('--weights', required=True, help='file or shipped name, such as foda')
    add_data(parser)
    parser.add_argument('--baselines', nargs='*', default=list(BASELINES[:-1]), choices=BASELINES,
                        metavar='NAME',
                        help=f'of {", ".join(BASELINES)}; default: all but oracle, which takes '
                             'longer than the rest together. None after it: the scheduler '
                             'alone, to choose p in little more than the time of one pass')
    add_stream(parser)
    parser.add_argument('--time-pass', action='store_true',
                        help='run one pass of evaluate --policy read, too, to compare times '
                             '(pass_s beside sweep_s)')
    parser.add_argument('--csv', metavar='FILE', help='write the points as a table')
    parser.add_argument('--plot', metavar='FILE', help='draw mAP against share and speed')
    wish = parser.add_mutually_exclusive_group()
    wish.add_argument('--want-share', type=options.unit, metavar='S',
                      help='recommend p for at most this share of READs')
    wish.add_argument('--want-ms', type=options.above_zero, metavar='MS',
                      help='recommend p for at most so many milliseconds a frame')
    wish.add_argument('--want-loss', type=options.unit, metavar='L',
                      help='recommend p for at most so much less mAP (0 to 1) than at p=1')
    common.add_input(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``sweep``."""
    from ..evaluation.points import TOLERANCE
    from ..evaluation.provenance import origin
    from ..evaluation.trade_off import trade_off, Wish, with_pass
    from ..policies.registry import check_forecasts

    check_data(args)
    if 'oracle' in args.baselines:
        options.refuse(args, ['no_commit'], 'the oracle takes none; leave it out of --baselines')
    options.check_outputs(args, ('json', 'csv', 'plot'))
    options.check_plot(args.plot)
    skipped = Skipped()
    detector, checkpoint = common.make_detector(args)
    for policy in args.baselines:
        check_forecasts(policy, detector)
    dataset, changes = open_data(args, detector.labels, skipped), stream_changes(args)
    with tqdm(unit='frame', dynamic_ncols=True) as bar:
        found, clips = trade_off(
            detector, dataset, args.baselines, changes,
            Wish(args.want_share, args.want_ms, args.want_loss), bar.update, bar.set_description,
            skipped.clips_of(args),
        )
    if found.unmet_shares:
        shares = ', '.join(f'{share:.2f}' for share in found.unmet_shares)
        common.note(f'no p gives a READ share of {shares}, give or take {TOLERANCE}; nothing is '
                    'compared there')
    result = replace(found, skipped=skipped.rows, provenance={
        **origin(str(args.weights), checkpoint.sha256, detector), **changes,
        **describe_data(args), **tell_unfinished(dataset.clips),
    })
    _write(args, result)
    if args.time_pass:
        # What was measured so far outlives an interruption of the pass.
        with tqdm(total=result.frames, desc='one pass', unit='frame', dynamic_ncols=True) as bar:
            result = with_pass(result, detector, clips, dataset.labels, bar.update)
        _write_json(args, result)
    if args.json == '-':
        write('-', result)
    else:
        print(sweep_table(result))
    return skipped.status


def _write(args: argparse.Namespace, result: Sweep) -> None:
    if args.csv:
        _write_csv(args.csv, result.points)
    if args.plot:
        from ..report.plots import plot_tradeoff
        plot_tradeoff(result.points, args.plot)
    _write_json(args, result)


def _write_json(args: argparse.Namespace, result: Sweep) -> None:
    """Write the file; stdout gets it once, at the end."""
    if args.json and args.json != '-':
        write(args.json, result)


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
