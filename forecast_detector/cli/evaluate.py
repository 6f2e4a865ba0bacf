"""
Measure weights on a data set by the ImageNet VID protocol.

With --stride K a clip is the video of every K-th frame: it is that much faster for the
detector, and motion (slow, medium, fast) is measured on it.

With --dataset rosbag --root may be a folder of bags. A bag that cannot be used (broken, empty,
truncated, without the topic, of unknown types) is named and skipped, the rest is measured, and
the exit status is 3. It is 1 after an error, 2 for options that are wrong or do not go together.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..config import StreamConfig
from ..policies.names import POLICIES
from ..records import write
from ..records.evaluation import Evaluation
from ..report.tables import evaluation_table
from . import common, options
from .data import (
    add_data,
    check_data,
    data_place,
    describe_data,
    open_data,
    SKIPPED,
    Skipped,
    tell_unfinished,
)
from .stream import add_stream, check_options, make_job, POLICY, READ_EVERY, settings

if TYPE_CHECKING:
    from ..data.base import ClipDataset
    from ..evaluation.job import Job
    from ..evaluation.measure import Measured
    from ..evaluation.run import Latency
    from ..evaluation.streaming_ap import Latencies
    from ..records.evaluation import Provenance
    from ..scoring.metrics import ScoredClip

# What asks for something that scoring a file again cannot give.
RUN_OPTIONS = (
    'policy', 'p', 'read_every', 'max_consecutive_forecasts', 'no_accumulate',
    'no_commit', 'sap', 'latency', 'anticipate',
    'dump', 'trace', 'workers', 'ray', 'input_size', 'resize', 'device',
)

__all__ = ['add_arguments', 'run', 'SKIPPED']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``evaluate``."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--weights', help='file or shipped name, such as foda')
    source.add_argument('--from', dest='source', metavar='FILE',
                        help='score these detections (COCO results) again; opens neither '
                             'images nor weights')
    add_data(parser)
    parser.add_argument('--policy', choices=POLICIES,
                        help='which frames are read, and what answers the others: the '
                             'forecast (scheduler, alternate, oracle), the features of the '
                             'last READ (copy) or its boxes (hold, kalman, moved; '
                             'scheduled_kalman: read as by scheduler); '
                             f'default: {POLICY}')
    parser.add_argument('--p', type=options.unit,
                        help='threshold of the scheduler, 1 never forecasts; '
                             f'default: {StreamConfig().p}')
    parser.add_argument('--read-every', type=options.whole(1), metavar='K',
                        help='frames a READ, for all but scheduled ones and read; '
                             f'default: {READ_EVERY}')
    add_stream(parser)
    _add_streaming(parser)
    parser.add_argument('--versus', metavar='FILE',
                        help='compare with these detections (COCO results) of the same frames: '
                             'difference of mAP with a paired bootstrap over clips')
    parser.add_argument('--interval', action='store_true',
                        help='tell how sure mAP is: its 95 %% interval, of a bootstrap over clips')
    parser.add_argument('--dump', metavar='FILE', help='write the detections (COCO results)')
    parser.add_argument('--trace', action='store_true',
                        help='keep the decisions of every frame, and a few pictures, in the JSON '
                             '(for report)')
    parser.add_argument('--workers', type=options.whole(1), metavar='N',
                        help='processes that share the clips or bags; the figures are those of '
                             'one process, but for the times: they share the cores; default: 1')
    parser.add_argument('--ray', nargs='?', const='', metavar='ADDRESS',
                        help="share the clips or bags on the Ray cluster there ('auto': the one "
                             'that this machine is part of); without ADDRESS one is started on '
                             'this machine. --workers then defaults to its cores, or GPUs')
    common.add_input(parser)
    common.add_device(parser, default=None)
    common.add_json(parser)


def _add_streaming(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--sap', action='store_true',
                        help='simulate streaming average precision, too: a second pass, in '
                             'which steps take their time and frames are missed')
    parser.add_argument('--latency', metavar='READ_MS,FORECAST_MS[,AHEAD_MS]', type=_latency,
                        help='with --sap: plan for these step times, not the measured ones. '
                             'AHEAD_MS is that of --anticipate, default: FORECAST_MS. For hold '
                             'and kalman FORECAST_MS is the time of carrying boxes, near 0')
    parser.add_argument('--anticipate', action='store_true',
                        help='with --sap: detect on the forecast of the next frame, too (hold '
                             'and kalman: carry the boxes on to it)')


def run(args: argparse.Namespace) -> int:
    """Run ``evaluate``."""
    from ..scoring.dump import check_dump

    skipped = Skipped()
    check_data(args)
    if args.source is not None:
        options.refuse(args, RUN_OPTIONS, 'needs weights to run; --from only scores again')
    else:
        check_options(args)
    options.check_outputs(args, ('json', 'dump'), (args.source, args.versus))
    if args.versus is not None:
        check_dump(args.versus)
    result = _score_again(args, skipped) if args.source is not None else _measure(args, skipped)
    if args.json:
        write(args.json, result)
    if args.json != '-':
        print(evaluation_table(result))
    return skipped.status


def _latency(text: str) -> Latencies:
    from ..evaluation.streaming_ap import Latencies

    parse = options.number(0.0)
    try:
        times = [parse(part.strip()) for part in text.split(',')]
        if len(times) not in (2, 3):
            raise argparse.ArgumentTypeError(f'{text!r} has {len(times)}')
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f'{error}; two or three times in milliseconds are expected, READ_MS,FORECAST_MS or '
            'READ_MS,FORECAST_MS,AHEAD_MS, such as 60,12'
        ) from None
    return Latencies(*times)


def _measure(args: argparse.Namespace, skipped: Skipped) -> Evaluation:
    from ..evaluation.detections import dump
    from ..evaluation.provenance import origin

    job = make_job(args)
    detector = job.detector()
    print(detector.device_note, file=sys.stderr)
    measured = _run(args, job, skipped)
    dataset, runs = measured.dataset, measured.runs
    if args.dump:
        # Bags number no classes: which number means what depends on who asks.
        dump(args.dump, dataset, runs, args.dataset == 'rosbag')
    if args.sap:
        _tell_arrivals(dataset)
    planned = args.latency
    provenance = {
        **origin(str(args.weights), job.checkpoint.sha256, detector),
        'workers': args.workers, 'ray': args.ray, 'anticipates': args.anticipate,
        # Planned latencies are no measured ones.
        'planned_ms': {
            'read': planned.read, 'forecast': planned.forecast, 'ahead': planned.ahead,
        } if planned else None,
        **settings(args),
    }
    result = _result(args, dataset, measured.scored(), measured.timed, provenance, skipped,
                     measured.sap50())
    if not args.trace:
        return result
    from ..evaluation.trace import make_trace
    return replace(
        result, trace=make_trace(runs, dataset.clips, dataset.labels, detector, args.p))


def _run(args: argparse.Namespace, job: Job, skipped: Skipped) -> Measured:
    """Run the job over the data."""
    from ..evaluation.measure import measure, measure_oracle, Sources

    labels = job.checkpoint.config.labels
    if args.policy == 'oracle':
        dataset = open_data(args, labels, skipped)
        with tqdm(unit='frame', desc='oracle', dynamic_ncols=True) as bar:
            return measure_oracle(job, dataset, skipped.clips_of(args), bar.update)
    sources = Sources.of(args.dataset, data_place(args, labels, skipped), args.stride)
    total = len(sources.dataset) if sources.dataset else None
    with tqdm(unit='frame', total=total, desc=args.policy, dynamic_ncols=True) as bar:
        return measure(job, sources, skipped.add, bar.update, args.workers, args.ray)


def _tell_arrivals(dataset: ClipDataset) -> None:
    """Tell of clips whose stamps do not say when their frames came."""
    from ..evaluation.streaming_ap import arrivals

    for clip in dataset.clips:
        odd = arrivals(clip)[1]
        if odd is not None:
            common.note(odd)


def _score_again(args: argparse.Namespace, skipped: Skipped) -> Evaluation:
    from ..evaluation.detections import read

    dataset = open_data(args, None, skipped, needs_images=False)
    scored, file = read(args.source, dataset, common.note)
    return _result(args, dataset, scored, None, {
        'from': str(args.source), 'results': file.results, 'results_elsewhere': file.elsewhere,
        'results_foreign': file.foreign,
    }, skipped)


def _result(
    args: argparse.Namespace, dataset: ClipDataset, scored: list[ScoredClip],
    timed: Latency | None, provenance: Provenance, skipped: Skipped, sap50: float | None = None,
) -> Evaluation:
    from ..evaluation.detections import compare, how_sure
    from ..evaluation.result import make_record

    annotated = sum(clip.annotated for clip in scored)
    if not annotated:
        common.note('no frame has a truth; there is nothing to score by')
    result = make_record(
        Evaluation, scored, dataset.labels, timed, common.note, frames=len(dataset),
        clips=len(scored), sap50=sap50, annotated=annotated, skipped=skipped.rows, provenance={
            **provenance, **describe_data(args), **tell_unfinished(dataset.clips),
        },
    )
    if args.versus is not None:
        result = replace(result, versus=compare(args.versus, dataset, scored, common.note))
    if args.interval and result.map50 is not None:
        result = replace(result, interval=how_sure(scored, dataset.labels))
    return result
