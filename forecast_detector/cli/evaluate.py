"""
Measure weights on a data set by the ImageNet VID protocol.

With --stride K a clip is the video of every K-th frame: it is that much faster for the
detector, and motion (slow, medium, fast) is measured on it.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, TYPE_CHECKING

from . import common

if TYPE_CHECKING:
    from ..data.base import ClipDataset
    from ..evaluation.metrics import ScoredClip
    from ..evaluation.result import EvaluationResult
    from ..evaluation.run import ClipRun, Latency
    from ..streaming import StreamingDetector

DATASETS = ('coco_vid', 'imagenet_vid', 'rosbag', 'synthetic')
POLICIES = ('scheduler', 'read', 'alternate', 'hold', 'kalman')


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
                             'forecast (scheduler, alternate) or boxes (hold, kalman)')
    parser.add_argument('--p', type=float, default=0.5,
                        help='threshold of the scheduler, 1 never forecasts; '
                             'default: %(default)s')
    parser.add_argument('--read-every', type=int, default=2, metavar='K',
                        help='frames a READ, for alternate, hold and kalman; '
                             'default: %(default)s')
    parser.add_argument('--max-consecutive-forecasts', type=int, default=0, metavar='N',
                        help='default: %(default)s, no limit')
    parser.add_argument('--dump', metavar='FILE', help='write the detections (COCO results)')
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


def _measure(args: argparse.Namespace) -> EvaluationResult:
    from ..evaluation.datasets import open_dataset
    from ..evaluation.policies import make_runner
    from ..evaluation.run import latency, run_clips

    detector, provenance = load_detector(args)
    runner = make_runner(
        args.policy, detector, args.p, args.read_every, args.max_consecutive_forecasts
    )
    dataset = open_dataset(args.dataset, args.root, args.split, args.stride, detector.labels)
    runs = run_clips(runner, dataset.clips, common.progress, args.policy)
    if args.dump:
        _dump(args.dump, dataset, runs)
    scored = [one.scored(clip) for one, clip in zip(runs, dataset.clips)]
    return _result(dataset, scored, latency(runs), {
        **provenance, **_settings(args), **describe_data(args),
    })


def _score_again(args: argparse.Namespace) -> EvaluationResult:
    from ..evaluation.datasets import category_ids, open_dataset
    from ..evaluation.dump import read_dump
    from ..evaluation.metrics import ScoredClip
    from ..types import Detections

    if args.dump:
        raise ValueError('--dump writes what weights detect; with --from there is nothing new')
    dataset = open_dataset(args.dataset, args.root, args.split, args.stride, None)
    images = [[clip.image_id(i) for i in range(len(clip))] for clip in dataset.clips]
    found = read_dump(args.source, sum(images, []), category_ids(dataset))
    scored = [
        ScoredClip(clip.name, [found.get(image, Detections()) for image in ids],
                   [clip.truth(i) for i in range(len(clip))])
        for clip, ids in zip(dataset.clips, images)
    ]
    return _result(dataset, scored, None, {'from': str(args.source), **describe_data(args)})


def load_detector(args: argparse.Namespace) -> tuple[StreamingDetector, dict[str, Any]]:
    """Load the weights; returns the detector and where it comes from."""
    from ..checkpoint import find_weights, load_checkpoint
    from ..evaluation.result import machine
    from ..streaming import StreamingDetector

    checkpoint = load_checkpoint(find_weights(args.weights))
    detector = StreamingDetector(checkpoint, device=args.device)
    print(detector.device_note, file=sys.stderr)
    return detector, {
        'weights': str(args.weights), 'sha256': checkpoint.sha256,
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
    dataset: ClipDataset, scored: list[ScoredClip], timed: Latency | None,
    provenance: dict[str, Any],
) -> EvaluationResult:
    from ..evaluation.coco import map50_95
    from ..evaluation.metrics import evaluate
    from ..evaluation.result import EvaluationResult

    try:
        coco = map50_95(scored, dataset.labels)
    except RuntimeError as error:
        print(f'note: {error}', file=sys.stderr)
        coco = None
    return EvaluationResult(
        evaluate(scored, dataset.labels), len(dataset), len(scored), coco, timed, provenance
    )
