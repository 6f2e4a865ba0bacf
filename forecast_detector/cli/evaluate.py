"""
Measure weights on a data set by the ImageNet VID protocol.

With --stride K a clip is the video of every K-th frame: it is that much faster for the
detector, and motion (slow, medium, fast) is measured on it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
import sys
from typing import Any, TYPE_CHECKING

from tqdm import tqdm

from ..config import StreamConfig
from . import common

if TYPE_CHECKING:
    from ..data.base import ClipDataset
    from ..evaluation.metrics import ScoredClip
    from ..evaluation.result import EvaluationResult
    from ..evaluation.run import ClipRun, Latency
    from ..streaming import StreamingDetector

DATASETS = ('coco_vid', 'imagenet_vid', 'rosbag', 'synthetic')
POLICIES = ('scheduler', 'read', 'alternate', 'copy', 'hold', 'kalman', 'oracle')


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is measured on."""
    parser.add_argument('--dataset', required=True, choices=DATASETS)
    parser.add_argument('--root', help='folder of the data set')
    parser.add_argument('--split', default='val', help='default: %(default)s')
    parser.add_argument('--stride', type=int, default=1, metavar='K',
                        help='take every K-th frame of each clip; default: %(default)s')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``evaluate``."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--weights', help='file or shipped name, such as foda')
    source.add_argument('--from', dest='source', metavar='FILE',
                        help='score these detections (COCO results) again; opens neither '
                             'images nor weights')
    add_data(parser)
    parser.add_argument('--policy', default='scheduler', choices=POLICIES,
                        help='which frames are read, and what answers the others: the '
                             'forecast (scheduler, alternate, oracle), the features of the '
                             'last READ (copy) or its boxes (hold, kalman)')
    parser.add_argument('--p', type=float, default=StreamConfig().p,
                        help='threshold of the scheduler, 1 never forecasts; '
                             'default: %(default)s')
    parser.add_argument('--read-every', type=int, default=2, metavar='K',
                        help='frames a READ, for all but scheduler and read; '
                             'default: %(default)s')
    parser.add_argument('--max-consecutive-forecasts', type=int, default=0, metavar='N',
                        help='default: %(default)s, no limit')
    parser.add_argument('--sap', action='store_true',
                        help='simulate streaming average precision, too: a second pass, in '
                             'which steps take their time and frames are missed')
    parser.add_argument('--latency', metavar='READ_MS,FORECAST_MS', type=_latency,
                        help='with --sap: plan for these step times, not the measured ones')
    parser.add_argument('--anticipate', action='store_true',
                        help='with --sap: detect on the forecast of the next frame, too')
    parser.add_argument('--versus', metavar='FILE',
                        help='compare with these detections (COCO results) of the same frames: '
                             'difference of mAP with a paired bootstrap over clips')
    parser.add_argument('--dump', metavar='FILE', help='write the detections (COCO results)')
    common.add_input(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``evaluate``."""
    result = _score_again(args) if args.source else _measure(args)
    if args.json:
        common.write_json(args.json, result.to_dict())
    if args.json != '-':
        print(result.table())
    return 0


def _latency(text: str) -> tuple[float, float]:
    read_ms, forecast_ms = (float(part) for part in text.split(','))
    if min(read_ms, forecast_ms) < 0:
        raise ValueError('a time below 0')
    return read_ms, forecast_ms


def _measure(args: argparse.Namespace) -> EvaluationResult:
    from ..evaluation.datasets import open_dataset

    if (args.latency or args.anticipate) and not args.sap:
        raise ValueError('--latency and --anticipate are for --sap; give it, too')
    detector, provenance = load_detector(args)
    dataset = open_dataset(args.dataset, args.root, args.split, args.stride, detector.labels)
    runs, timed = _oracle(args, detector, dataset) if args.policy == 'oracle' else _run(
        args, detector, dataset)
    if args.dump:
        _dump(args.dump, dataset, runs)
    scored = [one.scored(clip) for one, clip in zip(runs, dataset.clips)]
    return _result(args, dataset, scored, timed, {
        **provenance, **_settings(args), **describe_data(args),
    }, _sap50(args, detector, dataset) if args.sap else None)


def _run(
    args: argparse.Namespace, detector: StreamingDetector, dataset: ClipDataset
) -> tuple[list[ClipRun], Latency]:
    from ..evaluation.policies import make_runner
    from ..evaluation.run import latency, run_clips

    runner = make_runner(
        args.policy, detector, args.p, args.read_every, args.max_consecutive_forecasts
    )
    runs = run_clips(runner, dataset.clips, common.progress, args.policy)
    return runs, latency(runs)


def _oracle(
    args: argparse.Namespace, detector: StreamingDetector, dataset: ClipDataset
) -> tuple[list[ClipRun], Latency]:
    """Several passes; single steps are timed apart, on the first frames."""
    from ..evaluation.batched import Bench, read_share, time_steps
    from ..evaluation.oracle import run_oracle_at

    if args.sap:
        raise ValueError('the oracle knows the truth before it acts: it has no --sap')
    with tqdm(unit='frame', desc='oracle', dynamic_ncols=True) as bar:
        bench = Bench(detector, dataset.clips, done=bar.update)
        timed = time_steps(bench)
        runs = run_oracle_at(bench, 1 / args.read_every)
    return runs, replace(timed, read_share=read_share(runs))


def _sap50(
    args: argparse.Namespace, detector: StreamingDetector, dataset: ClipDataset
) -> float | None:
    from ..evaluation.average_precision import mean_average_precision
    from ..evaluation.matching import Rule
    from ..evaluation.metrics import ALL, outcomes
    from ..evaluation.policies import make_runner
    from ..evaluation.streaming_ap import stream_clip

    runner = make_runner(args.policy, detector, args.p, args.read_every,
                         args.max_consecutive_forecasts, args.anticipate)
    clips = common.progress(dataset.clips, len(dataset.clips), 'sap')
    scored = [stream_clip(runner, clip, args.latency) for clip in clips]
    return mean_average_precision(outcomes(scored, len(dataset.labels), Rule.PLAIN, ())[ALL])


def _score_again(args: argparse.Namespace) -> EvaluationResult:
    from ..evaluation.datasets import open_dataset

    if args.dump or args.sap:
        raise ValueError('--dump and --sap need weights to run; --from only scores again')
    dataset = open_dataset(args.dataset, args.root, args.split, args.stride, None)
    return _result(args, dataset, _read(args.source, dataset), None, {
        'from': str(args.source), **describe_data(args),
    })


def _read(path: str, dataset: ClipDataset) -> list[ScoredClip]:
    """Read detections of any detector and set them beside the truth."""
    from ..evaluation.datasets import category_ids
    from ..evaluation.dump import read_dump
    from ..evaluation.metrics import ScoredClip
    from ..types import Detections

    images = [[clip.image_id(i) for i in range(len(clip))] for clip in dataset.clips]
    found = read_dump(path, [i for ids in images for i in ids], category_ids(dataset))
    return [
        ScoredClip(clip.name, [found.get(image, Detections()) for image in ids],
                   [clip.truth(i) for i in range(len(clip))])
        for clip, ids in zip(dataset.clips, images)
    ]


def load_detector(args: argparse.Namespace) -> tuple[StreamingDetector, dict[str, Any]]:
    """Load the weights; returns the detector and where it comes from."""
    from ..evaluation.result import machine

    detector, checkpoint = common.make_detector(args)
    return detector, {
        'weights': str(args.weights), 'sha256': checkpoint.sha256,
        'input_size': list(detector.input_size),
        'device': str(detector.device), 'device_note': detector.device_note,
        'machine': machine(),
    }


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """Say which decisions were asked for; null where the policy takes none."""
    scheduled = args.policy == 'scheduler'
    fixed = args.policy not in ('scheduler', 'read')
    return {
        'policy': args.policy,
        'p': args.p if scheduled else None,
        'read_every': args.read_every if fixed else None,
        'max_consecutive_forecasts': args.max_consecutive_forecasts if scheduled else None,
    }


def describe_data(args: argparse.Namespace) -> dict[str, Any]:
    """Say what was measured on."""
    return {
        'dataset': args.dataset, 'root': args.root, 'split': args.split, 'stride': args.stride,
    }


def _dump(path: str, dataset: ClipDataset, runs: list[ClipRun]) -> None:
    from ..evaluation.datasets import category_ids
    from ..evaluation.dump import results, write_dump

    ids = category_ids(dataset)
    write_dump(path, (
        row
        for clip, one in zip(dataset.clips, runs)
        for index, step in enumerate(one.steps)
        for row in results(clip.image_id(index), step.detections, ids)
    ))


def _result(
    args: argparse.Namespace, dataset: ClipDataset, scored: list[ScoredClip],
    timed: Latency | None, provenance: dict[str, Any], sap50: float | None = None,
) -> EvaluationResult:
    from ..evaluation.coco import map50_95
    from ..evaluation.metrics import evaluate
    from ..evaluation.result import EvaluationResult

    try:
        coco = map50_95(scored, dataset.labels)
    except RuntimeError as error:
        print(f'note: {error}', file=sys.stderr)
        coco = None
    versus = _versus(args.versus, dataset, scored) if args.versus else None
    return EvaluationResult(
        evaluate(scored, dataset.labels), len(dataset), len(scored), coco, sap50, timed, versus,
        provenance,
    )


def _versus(path: str, dataset: ClipDataset, scored: list[ScoredClip]) -> dict[str, Any]:
    """Compare with other detections of the same frames."""
    from ..evaluation.bootstrap import paired_difference
    from ..evaluation.matching import Rule
    from ..evaluation.metrics import ALL, outcomes

    classes, others = len(dataset.labels), _read(path, dataset)
    result: dict[str, Any] = {'file': path}
    for name, rule in (('map50', Rule.PLAIN), ('map50_tolerant', Rule.TOLERANT)):
        ours, theirs = (outcomes(clips, classes, rule, ())[ALL] for clips in (scored, others))
        gap = paired_difference(ours, theirs)
        result[name] = {'difference': gap.value, 'low': gap.low, 'high': gap.high}
    return result
