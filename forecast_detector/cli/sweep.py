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
from collections.abc import Mapping, Sequence
import csv
from pathlib import Path
import sys
import time
from typing import Any, TYPE_CHECKING

from tqdm import tqdm

from ..policies.names import BASELINES
from . import common, options
from .data import add_data, check_data, describe_data, open_data, Skipped, tell_unfinished
from .evaluate import load_detector
from .measuring import add_stream, stream_changes

if TYPE_CHECKING:
    from ..data.base import Clip
    from ..engine import StreamingDetector
    from ..evaluation.points import Point


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
    from ..evaluation.points import differences, recommend, TOLERANCE, unmet_shares
    from ..evaluation.store import FeatureStore
    from ..evaluation.sweep import Sweep
    from ..policies.registry import check_forecasts

    check_data(args)
    if 'oracle' in args.baselines:
        options.refuse(args, ['no_commit'], 'the oracle takes none; leave it out of --baselines')
    options.check_outputs(args, ('json', 'csv', 'plot'))
    options.check_plot(args.plot)
    skipped = Skipped()
    detector, provenance = load_detector(args)
    for policy in args.baselines:
        check_forecasts(policy, detector)
    dataset = open_data(args, detector.labels, skipped)
    watch = Stopwatch()
    points: list[Point] = []
    with tqdm(unit='frame', dynamic_ncols=True) as bar:
        bar.set_description('reading')
        store = FeatureStore(detector, dataset.clips, bar.update,
                             on_bad=skipped.clips_of(args))
        reading = watch.seconds('read')
        changes = stream_changes(args)
        sweep = Sweep(store, dataset.labels, bar.update, **changes)
        for point in sweep.points(args.baselines):
            points.append(point)
            bar.set_description(f'{len(points)} points, last {_name(point)}')
    unmet = unmet_shares(points)
    if unmet:
        print('note: no p gives a READ share of ' + ', '.join(f'{s:.2f}' for s in unmet)
              + f', give or take {TOLERANCE}; nothing is compared there', file=sys.stderr)
    compared = differences(points)
    chosen = recommend(points, args.want_share, args.want_ms, args.want_loss)
    sweeping = watch.seconds('sweep')
    result = {
        'points': [point.to_dict() for point in points],
        'unmet_shares': unmet,
        'differences': compared,
        'recommended': chosen.to_dict() if chosen else None,
        'frames': sum(len(clip) for clip in store.clips),
        'skipped': skipped.rows,
        'latency_ms': {'read': sweep.timed.read_ms, 'forecast': sweep.timed.forecast_ms},
        **sweeping, **reading, 'pass_s': None, 'pass_cpu_s': None,
        'provenance': {
            **provenance, **changes, **describe_data(args),
            **tell_unfinished(dataset.clips),
        },
    }
    _write(args, result)
    if args.time_pass:
        # What was measured so far outlives an interruption of the pass.
        result.update(_time_pass(detector, store.clips, dataset.labels))
        _write_json(args, result)
    if args.json == '-':
        common.write_json('-', result)
    else:
        _print(result)
    return skipped.status


class Stopwatch:
    """Seconds since it was made, and those of them that processors worked for this process."""

    def __init__(self) -> None:
        """Start."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self, of: str) -> dict[str, float]:
        """Tell both, as ``{of}_s`` and ``{of}_cpu_s``."""
        return {
            f'{of}_s': time.perf_counter() - self._wall,
            f'{of}_cpu_s': time.process_time() - self._cpu,
        }


def _time_pass(
    detector: StreamingDetector, clips: Sequence[Clip], labels: Sequence[str]
) -> Mapping[str, float]:
    """Do what ``evaluate --policy read`` does, and tell how long it takes."""
    from ..evaluation.run import run_clips
    from ..policies.registry import make_runner
    from ..scoring.metrics import evaluate

    watch = Stopwatch()
    total = sum(len(clip) for clip in clips)
    with tqdm(total=total, desc='one pass', unit='frame', dynamic_ncols=True) as bar:
        runs = run_clips(make_runner('read', detector), clips, bar.update)
    evaluate([one.scored(clip) for one, clip in zip(runs, clips)], labels)
    return watch.seconds('pass')


def _write(args: argparse.Namespace, result: dict[str, Any]) -> None:
    if args.csv:
        _write_csv(args.csv, result['points'])
    if args.plot:
        from ..evaluation.plots import plot_tradeoff
        Path(args.plot).parent.mkdir(parents=True, exist_ok=True)
        plot_tradeoff(result['points'], args.plot)
    _write_json(args, result)


def _write_json(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Write the file; stdout gets it once, at the end."""
    if args.json and args.json != '-':
        common.write_json(args.json, result)


def _write_csv(path: str, points: list[dict[str, Any]]) -> None:
    rows = []
    for point in points:
        row = {key: value for key, value in point.items() if key != 'by_speed'}
        for speed, values in point['by_speed'].items():
            row.update({f'{key}_{speed}': value for key, value in values.items()})
        rows.append(row)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _print(result: dict[str, Any]) -> None:
    print(f'{"policy":18}{"p":>10}{"every":>7}{"read":>8}{"mAP@0.5":>9}{"tolerant":>10}{"ms":>8}')
    points = result['points']
    for q in sorted(points, key=lambda q: (q['policy'] != 'scheduler', -q['read_share'])):
        p = '' if q['p'] is None else f'{q["p"]:.6g}'
        print(f'{q["policy"]:18}{p:>10}{q["read_every"] or "":>7}{q["read_share"]:8.1%}'
              f'{_cell(q["map50"]):>9}{_cell(q["map50_tolerant"]):>10}{q["ms_per_frame"]:8.2f}')
    for d in result['differences']:
        print(f'scheduler at share {d["read_share"]:.2f} less {d["versus"]}: '
              f'{d["difference"]:+.4f} [{d["low"]:+.4f}, {d["high"]:+.4f}]')
    if result['pass_s']:
        for key, what in (('s', 'seconds'), ('cpu_s', 'seconds of processors')):
            whole, one = result[f'sweep_{key}'], result[f'pass_{key}']
            print(f'{whole:.1f} {what}; one pass of evaluate: {one:.1f} ({whole / one:.2f} times)')
    chosen = result['recommended']
    if chosen:
        print(f'recommended: p = {chosen["p"]:.6g}')
    else:
        print('recommended: none, ' + (
            'there is no truth to choose by' if all(q['map50'] is None for q in points)
            else 'no point keeps to the wish'))


def _cell(value: float | None) -> str:
    return '–' if value is None else f'{value:.4f}'


def _name(point: Point) -> str:
    setting = f'p={point.p:.4g}' if point.p is not None else f'1/{point.read_every}'
    return f'{point.policy} {setting}'
