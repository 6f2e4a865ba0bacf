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
import sys
from typing import Any, TYPE_CHECKING

from ..config import StreamConfig
from ..policies.names import POLICIES
from . import common, options
from .data import (
    add_data,
    check_data,
    describe_data,
    open_data,
    SKIPPED,
    Skipped,
    tell_unfinished,
)
from .detections import compare, dump, how_sure, read
from .measuring import (
    add_stream,
    check_options,
    make_job,
    measure,
    POLICY,
    READ_EVERY,
    run_oracle,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..data.base import ClipDataset
    from ..engine import StreamingDetector
    from ..evaluation.job import Job
    from ..evaluation.result import EvaluationResult
    from ..evaluation.run import Latency
    from ..evaluation.streaming_ap import Latencies
    from ..scoring.metrics import ScoredClip

# What asks for something that scoring a file again cannot give.
RUN_OPTIONS = (
    'policy', 'p', 'read_every', 'max_consecutive_forecasts', 'no_accumulate',
    'no_commit', 'sap', 'latency', 'anticipate',
    'dump', 'trace', 'workers', 'ray', 'input_size', 'resize', 'device',
)

__all__ = ['add_arguments', 'load_detector', 'run', 'SKIPPED']


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
    again = args.source is not None
    result, trace = _score_again(args, skipped) if again else _measure(args, skipped)
    if args.json:
        values = result.to_dict()
        common.write_json(args.json, values if trace is None else {**values, 'trace': trace})
    if args.json != '-':
        print(result.table())
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


def _measure(
    args: argparse.Namespace, skipped: Skipped
) -> tuple[EvaluationResult, dict[str, Any] | None]:
    job = make_job(args)
    detector = job.detector()
    print(detector.device_note, file=sys.stderr)
    measured = (run_oracle if args.policy == 'oracle' else measure)(args, job, skipped)
    dataset, runs = measured.dataset, measured.runs
    if args.dump:
        dump(args, dataset, runs)
    scored = [one.scored(clip) for one, clip in zip(runs, dataset.clips)]
    if args.sap:
        _tell_arrivals(dataset)
    result = _result(args, dataset, scored, measured.timed, {
        **_provenance(args, job, detector), **settings(args), **describe_data(args),
        **tell_unfinished(dataset.clips),
    }, skipped, _sap50(measured.streamed, len(dataset.labels)))
    if not args.trace:
        return result, None
    from ..evaluation.trace import make_trace
    return result, make_trace(runs, dataset.clips, dataset.labels, detector, args.p)


def _tell_arrivals(dataset: ClipDataset) -> None:
    """Tell of clips whose stamps do not say when their frames came."""
    from ..evaluation.streaming_ap import arrivals

    for clip in dataset.clips:
        note = arrivals(clip)[1]
        if note is not None:
            print(f'note: {note}', file=sys.stderr)


def _sap50(streamed: Sequence[ScoredClip] | None, classes: int) -> float | None:
    from ..scoring.average_precision import mean_average_precision
    from ..scoring.matching import Rule
    from ..scoring.metrics import ALL, outcomes

    if streamed is None:
        return None
    return mean_average_precision(outcomes(streamed, classes, Rule.PLAIN, ())[ALL])


def _score_again(
    args: argparse.Namespace, skipped: Skipped
) -> tuple[EvaluationResult, None]:
    dataset = open_data(args, None, skipped, needs_images=False)
    scored, file = read(args.source, dataset)
    return _result(args, dataset, scored, None, {
        'from': str(args.source), 'results': file.results, 'results_elsewhere': file.elsewhere,
        'results_foreign': file.foreign, **describe_data(args),
        **tell_unfinished(dataset.clips),
    }, skipped), None


def load_detector(args: argparse.Namespace) -> tuple[StreamingDetector, dict[str, Any]]:
    """Load the weights; returns the detector and where it comes from."""
    detector, checkpoint = common.make_detector(args)
    return detector, origin(args, detector, checkpoint.sha256)


def origin(
    args: argparse.Namespace, detector: StreamingDetector, sha256: str
) -> dict[str, Any]:
    from ..evaluation.result import machine

    return {
        'weights': str(args.weights), 'sha256': sha256,
        'input_size': list(detector.input_size),
        'device': str(detector.device), 'device_note': detector.device_note,
        'machine': machine(),
    }


def _provenance(
    args: argparse.Namespace, job: Job, detector: StreamingDetector
) -> dict[str, Any]:
    """Say where the figures come from; planned latencies are no measured ones."""
    planned = args.latency
    return {
        **origin(args, detector, job.checkpoint.sha256),
        'workers': args.workers, 'ray': args.ray, 'anticipates': args.anticipate,
        'planned_ms': {
            'read': planned.read, 'forecast': planned.forecast, 'ahead': planned.ahead,
        } if planned else None,
    }


def _result(
    args: argparse.Namespace, dataset: ClipDataset, scored: list[ScoredClip],
    timed: Latency | None, provenance: dict[str, Any], skipped: Skipped,
    sap50: float | None = None,
) -> EvaluationResult:
    from ..evaluation.result import EvaluationResult
    from ..scoring.coco import map50_95
    from ..scoring.metrics import evaluate

    try:
        coco = map50_95(scored, dataset.labels)
    except RuntimeError as error:
        print(f'note: {error}', file=sys.stderr)
        coco = None
    annotated = sum(clip.annotated for clip in scored)
    if not annotated:
        print('note: no frame has a truth; there is nothing to score by', file=sys.stderr)
    versus = compare(args.versus, dataset, scored) if args.versus is not None else None
    metrics = evaluate(scored, dataset.labels)
    sure = args.interval and metrics.map50 is not None
    interval = how_sure(dataset, scored) if sure else None
    return EvaluationResult(
        metrics, len(dataset), len(scored), coco, sap50, timed, versus,
        provenance, annotated, skipped.rows, interval,
    )
