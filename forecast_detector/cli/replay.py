"""
Replay a bag: what the detector says to every recorded image.

Offline (no ROS needed) every image is stepped, as fast as it goes. With --live the bag is played
into the detector node in a ROS graph of its own, with /clock, and its answers are heard; frames
that a busy node drops are counted, or none is with --lossless. Both ways give the same files in
--out: a bag with detections and decisions, and the report (also --json).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
import shutil
import signal
import sys
from typing import Any, get_args, TYPE_CHECKING

from ..bags.writer import Storage
from ..config import StreamConfig
from ..types import Policy, StepFailure
from . import common
from .live_line import LiveLine

if TYPE_CHECKING:
    from ..replay.answers import Answer
    from ..replay.recording import Recording
    from ..replay.report import Collector, ReplayReport
    from ..streaming import StreamingDetector

OURS = ('bag', 'heard', 'report.json', 'live.json', 'log')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``replay``."""
    default = StreamConfig()
    parser.add_argument('--bag', required=True, type=Path,
                        help='rosbag2 folder, .mcap or .db3 file')
    parser.add_argument('--image-topic', nargs='+', action='extend', default=[], metavar='T',
                        help='one a camera; default: the only one of the bag')
    parser.add_argument('--truth-topic', nargs='+', action='extend', default=[], metavar='T',
                        help='Detection2DArray to score by, one a camera in their order; default: '
                             'the one beside the camera, or the only one')
    parser.add_argument('--no-truth', action='store_true', help='score nothing')
    parser.add_argument('--weights', default='foda', help='file or shipped name; default: foda')
    parser.add_argument('--policy', default=default.policy.value,
                        choices=[policy.value for policy in Policy],
                        help='who decides what is read; default: %(default)s')
    parser.add_argument('--p', type=float, default=default.p,
                        help='threshold of the scheduler, 1 never forecasts; '
                             'default: %(default)s')
    parser.add_argument('--read-every', type=int, default=default.read_every, metavar='K',
                        help='with policy alternate; default: %(default)s')
    parser.add_argument('--max-consecutive-forecasts', type=int, default=0, metavar='N',
                        help='default: %(default)s, no limit')
    parser.add_argument('--max-gap-s', type=float, default=default.max_gap_s, metavar='S',
                        help='a longer gap between stamps resets, 0 is no limit; '
                             'default: %(default)s')
    parser.add_argument('--score-threshold', type=float, default=default.score_threshold,
                        help='weaker detections are scored but not written; '
                             'default: %(default)s')
    parser.add_argument('--loop', type=int, default=1, metavar='N',
                        help='play the bag N times; default: %(default)s')
    live = parser.add_argument_group('live')
    live.add_argument('--live', action='store_true', help='through the node; needs ROS 2')
    live.add_argument('--rate', type=float, metavar='R',
                      help='times the recorded speed; 0, with --lossless, is as fast as it '
                           'answers; default: 1')
    live.add_argument('--lossless', action='store_true',
                      help='drop nothing: play no faster than the node answers')
    out = parser.add_argument_group('what is written')
    out.add_argument('--out', type=Path, default=None, metavar='DIR',
                     help='an earlier replay there is replaced; default: out/replay/NAME')
    out.add_argument('--storage', default='mcap', choices=get_args(Storage),
                     help='of the bag; default: %(default)s')
    out.add_argument('--with-images', action='store_true',
                     help='copy images and truth into the bag, too')
    out.add_argument('--trace', action='store_true',
                     help='add every decision and a few pictures to the JSON, for the report')
    common.add_input(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``replay``; frames that cannot be used are named and passed over."""
    config = _check(args)
    args.out = args.out or Path('out/replay') / args.bag.resolve().stem
    return _live(args, config) if args.live else _offline(args, config)


def _check(args: argparse.Namespace) -> StreamConfig:
    """
    See that the options go together.

    :returns: how streams are stepped; weak detections are kept for the score.
    """
    from ..evaluation.run import SCORE_THRESHOLD

    if not args.live and (args.lossless or args.rate is not None):
        raise ValueError('--rate and --lossless are for --live; offline, every frame is stepped '
                         'as fast as it goes')
    args.rate = 1.0 if args.rate is None else args.rate
    if args.rate < 0 or (args.rate == 0 and not args.lossless):
        raise ValueError(f'--rate: {args.rate:g} is not above 0 (0 is for --lossless)')
    if args.loop < 1:
        raise ValueError(f'--loop: {args.loop} is below 1')
    if args.no_truth and args.truth_topic:
        raise ValueError('--truth-topic and --no-truth exclude each other')
    if not 0 <= args.score_threshold <= 1:
        raise ValueError(f'--score-threshold: {args.score_threshold} is outside [0, 1]')
    return StreamConfig(
        p=args.p, policy=Policy(args.policy), read_every=args.read_every,
        max_consecutive_forecasts=args.max_consecutive_forecasts, max_gap_s=args.max_gap_s,
        score_threshold=min(SCORE_THRESHOLD, args.score_threshold),
    )


def _offline(args: argparse.Namespace, config: StreamConfig) -> int:
    from ..replay.answers import answer_offline

    detector, checkpoint = common.make_detector(args, config)
    recording = _open(args, detector.labels)
    _clear(args.out)
    answers = answer_offline(recording, detector, args.loop)
    collector = _collect(args, recording, detector.labels, answers)
    return _finish(args, config, recording, collector, detector.labels, {
        'sha256': checkpoint.sha256, 'input_size': list(detector.input_size),
        'device': str(detector.device), 'device_note': detector.device_note,
    }, detector)


def _live(args: argparse.Namespace, config: StreamConfig) -> int:
    from ..checkpoint import load_checkpoint
    from ..demo.processes import require_ros
    from ..device import select_device
    from ..replay.live import LiveReplay

    require_ros()
    select_device(args.device)  # a missing one is told here, not in a log
    checkpoint = load_checkpoint(args.weights)
    labels, size = checkpoint.config.labels, tuple(args.input_size) if args.input_size else None
    recording = _open(args, labels)
    _clear(args.out)
    replay = LiveReplay(
        recording, config, checkpoint.path, args.out, args.device, size, args.resize, args.rate,
        args.loop, args.lossless,
    )
    line = LiveLine()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the processes end with this one
    try:
        device_note = replay.play(line.say, line.note)
    finally:
        line.end()
    collector = _collect(args, recording, labels, replay.answers(labels))
    collector.bad.update(replay.bad())
    shutil.rmtree(args.out / 'heard')
    return _finish(args, config, recording, collector, labels, {
        'sha256': checkpoint.sha256, 'input_size': list(size or checkpoint.config.input_size),
        'device': args.device, 'device_note': device_note,
    }, None)


def _open(args: argparse.Namespace, labels: tuple[str, ...]) -> Recording:
    from ..replay.recording import open_recording

    recording = open_recording(
        args.bag, labels, args.image_topic, args.truth_topic, not args.no_truth
    )
    out = args.out.resolve()
    if recording.path.resolve() in {out / name for name in OURS} | {out}:
        raise ValueError(f'--out: {args.out} would write over {args.bag}; choose another folder')
    return recording


def _clear(out: Path) -> None:
    """Remove what an earlier replay left, and nothing else."""
    for name in OURS:
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


def _collect(
    args: argparse.Namespace, recording: Recording, labels: tuple[str, ...],
    answers: Iterator[Answer],
) -> Collector:
    """Write the answers to the bag as they come, and take them down."""
    from ..replay.report import Collector
    from ..replay.writing import AnswerWriter

    collector = Collector(recording, args.loop, keep_detections=args.trace)
    shown: Iterable[Answer] = common.progress(answers, len(recording) * args.loop, 'replay')
    with AnswerWriter(
        args.out / 'bag', recording, labels, args.score_threshold, args.storage, args.loop,
        args.with_images,
    ) as bag:
        for answer in shown:
            if isinstance(answer.outcome, StepFailure):
                print(f'passed over: {answer.outcome.error}', file=sys.stderr)
            collector.add(answer)
            bag.write(answer)
    return collector


def _finish(
    args: argparse.Namespace, config: StreamConfig, recording: Recording, collector: Collector,
    labels: tuple[str, ...], origin: dict[str, Any], detector: StreamingDetector | None,
) -> int:
    """Score, write the report, and show it."""
    report = _report(args, config, recording, collector, labels, origin)
    values = report.to_dict()
    if args.trace:
        from ..evaluation.trace import make_trace

        runs, clips = collector.runs()
        values['trace'] = make_trace(runs, clips, labels, detector)
    common.write_json(str(args.out / 'report.json'), values)
    if args.json:
        common.write_json(args.json, values)
    if args.json != '-':
        print(report.table())
        print(f'{args.out}/: bag/, report.json')
    lost = sum(topic.dropped for topic in report.topics.values())
    if args.lossless and lost:
        print(f'forecast-detector: error: lossless, but {lost} images were not answered; see '
              f'{args.out}/log', file=sys.stderr)
        return 1
    return 0


def _report(
    args: argparse.Namespace, config: StreamConfig, recording: Recording, collector: Collector,
    labels: tuple[str, ...], origin: dict[str, Any],
) -> ReplayReport:
    from ..evaluation.coco import map50_95
    from ..evaluation.metrics import evaluate
    from ..evaluation.result import EvaluationResult, machine
    from ..evaluation.run import latency
    from ..replay.report import ReplayReport

    runs, _ = collector.runs()
    topics = collector.topics()
    frames = sum(topic.frames for topic in topics.values())
    if not runs:
        raise RuntimeError(f'{args.bag}: none of {frames} images was answered')
    scored = collector.scored()
    try:
        coco = map50_95(scored, labels)
    except RuntimeError as error:
        print(f'note: {error}', file=sys.stderr)
        coco = None
    provenance = {
        'dataset': 'rosbag', 'root': str(args.bag), 'weights': str(args.weights), **origin,
        'machine': machine(), 'mode': 'live' if args.live else 'offline',
        'lossless': args.lossless or not args.live, 'rate': args.rate if args.live else None,
        'loop': args.loop, 'stride': 1, 'written_score_threshold': args.score_threshold,
        **{name: value for name, value in asdict(config).items()},
    }
    result = EvaluationResult(
        evaluate(scored, labels), frames, len(recording.clips) * args.loop, coco, None,
        latency(runs), None, provenance,
    )
    return ReplayReport(result, topics)
