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
from dataclasses import asdict, replace
from pathlib import Path
import shutil
import signal
import sys
from typing import Any, TYPE_CHECKING

from ..bags import BagError
from ..config import StreamConfig
from ..records import write
from ..report.tables import evaluation_table
from ..types import Policy, StepFailure
from . import common, options
from .data import tell_unfinished
from .live_line import LiveLine
from .replay_options import add_arguments, check

if TYPE_CHECKING:
    from ..engine import StreamingDetector
    from ..replay.answers import Answer
    from ..replay.collector import Collector
    from ..replay.recording import Recording

__all__ = ['add_arguments', 'run']

NAMED = 5  # unusable images; more are only counted
OURS = ('bag', 'heard', 'report.json', 'live.json', 'log')


def run(args: argparse.Namespace) -> int:
    """Run ``replay``; frames that cannot be used are named and passed over."""
    config = check(args)
    args.out = args.out or Path('out/replay') / args.bag.resolve().stem
    options.check_folder('--out', args.out)
    return _live(args, config) if args.live else _offline(args, config)


def _offline(args: argparse.Namespace, config: StreamConfig) -> int:
    from ..replay.answers import answer_offline

    detector, checkpoint = common.make_detector(args, config)
    recording = _open(args, detector.labels)
    common.clear_results(args.out, OURS, recording.path)
    answers = answer_offline(recording, detector, args.loop)
    collector = _collect(args, recording, detector.labels, answers)
    return _finish(args, config, recording, collector, detector.labels, {
        'sha256': checkpoint.sha256, 'input_size': list(detector.input_size),
        'device': str(detector.device), 'device_note': detector.device_note,
    }, detector)


def _live(args: argparse.Namespace, config: StreamConfig) -> int:
    from ..checkpoint import load_checkpoint
    from ..device import select_device
    from ..node import require_ros
    from ..replay.live import LiveReplay

    require_ros()
    select_device(args.device)  # a missing one is told here, not in a log
    checkpoint = load_checkpoint(args.weights)
    labels, size = checkpoint.config.labels, tuple(args.input_size) if args.input_size else None
    recording = _open(args, labels)
    replay = LiveReplay(
        recording, config, checkpoint.path, args.out, args.device, size, args.resize, args.rate,
        args.loop, args.lossless,
    )
    replay.check()
    common.clear_results(args.out, OURS, recording.path)
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
        'device': str(select_device(args.device)[0]), 'device_note': device_note,
    }, None)


def _open(args: argparse.Namespace, labels: tuple[str, ...]) -> Recording:
    from ..replay.recording import open_recording

    try:
        recording = open_recording(
            args.bag, labels, args.image_topic, args.truth_topic, not args.no_truth
        )
    except BagError:
        raise
    except ValueError as error:
        raise ValueError(f'{error}; or replay with --no-truth') from error
    for doubt in recording.doubts:
        common.note(doubt)
    return recording


def _collect(
    args: argparse.Namespace, recording: Recording, labels: tuple[str, ...],
    answers: Iterator[Answer],
) -> Collector:
    """Write the answers to the bag as they come, and take them down."""
    from ..replay.collector import Collector
    from ..replay.writing import AnswerWriter

    collector = Collector(recording, args.loop, keep_detections=args.trace)
    shown: Iterable[Answer] = common.progress(answers, len(recording) * args.loop, 'replay')
    with AnswerWriter(
        args.out / 'bag', recording, labels, args.score_threshold, args.storage, args.loop,
        args.with_images,
    ) as bag:
        for answer in shown:
            collector.add(answer)
            if isinstance(answer.outcome, StepFailure) and sum(collector.bad.values()) <= NAMED:
                common.note(f'passed over: {answer.outcome.error}')
            bag.write(answer)
    return collector


def _finish(
    args: argparse.Namespace, config: StreamConfig, recording: Recording, collector: Collector,
    labels: tuple[str, ...], origin: dict[str, Any], detector: StreamingDetector | None,
) -> int:
    """Score, write the report, and show it."""
    from ..replay.scoring import make_replay

    provenance = {
        **_provenance(args, config, origin), **tell_unfinished(recording.clips.values()),
    }
    result = make_replay(recording, collector, labels, provenance, common.note)
    if args.trace:
        from ..evaluation.trace import make_trace

        runs, clips = collector.runs()
        result = replace(result, trace=make_trace(runs, clips, labels, detector))
    write(args.out / 'report.json', result)
    if args.json:
        write(args.json, result)
    if args.json != '-':
        print(evaluation_table(result))
        print(f'{args.out}/: bag/, report.json')
    lost = sum(topic.dropped for topic in result.topics.values())
    if args.lossless and lost:
        print(f'forecast-detector: error: lossless, but {lost} images were not answered; see '
              f'{args.out}/log', file=sys.stderr)
        return 1
    return 0


def _provenance(
    args: argparse.Namespace, config: StreamConfig, origin: dict[str, Any]
) -> dict[str, Any]:
    """Say what was replayed, and how."""
    from ..evaluation.provenance import machine

    return {
        'dataset': 'rosbag', 'root': str(args.bag), 'weights': str(args.weights), **origin,
        'machine': machine(), 'mode': 'live' if args.live else 'offline',
        'lossless': args.lossless or not args.live, 'rate': args.rate if args.live else None,
        'loop': args.loop, 'stride': 1, 'written_score_threshold': args.score_threshold,
        **asdict(config),
        # As evaluate says it: null where the policy does not ask for it.
        'p': config.p if config.policy is Policy.SCHEDULER else None,
        'read_every': config.read_every if config.policy is Policy.ALTERNATE else None,
    }
