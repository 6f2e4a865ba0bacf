"""The options of ``replay``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from ..bags.writer import Storage
from ..config import StreamConfig
from ..types import Policy
from . import common, options


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
    parser.add_argument('--p', type=options.unit,
                        help='threshold of the scheduler, 1 never forecasts; '
                             f'default: {default.p}')
    parser.add_argument('--read-every', type=options.whole(1), metavar='K',
                        help=f'with policy alternate; default: {default.read_every}')
    parser.add_argument('--max-consecutive-forecasts', type=options.whole(0), metavar='N',
                        help='with policy scheduler; default: 0, no limit')
    parser.add_argument('--max-gap-s', type=options.number(0.0), default=default.max_gap_s,
                        metavar='S',
                        help='a longer gap between stamps resets, 0 is no limit; '
                             'default: %(default)s')
    parser.add_argument('--score-threshold', type=options.unit, default=default.score_threshold,
                        help='weaker detections are scored but not written; '
                             'default: %(default)s')
    parser.add_argument('--loop', type=options.whole(1), default=1, metavar='N',
                        help='play the bag N times; default: %(default)s')
    live = parser.add_argument_group('live')
    live.add_argument('--live', action='store_true', help='through the node; needs ROS 2')
    live.add_argument('--rate', type=options.number(0.0), metavar='R',
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


def check(args: argparse.Namespace) -> StreamConfig:
    """
    See that the options go together.

    :returns: how streams are stepped; weak detections are kept for the score.
    :raises OptionError: if they do not.
    """
    from ..policies.step import SCORE_THRESHOLD

    if not args.live:
        options.refuse(args, ('rate', 'lossless'), 'is for --live; offline, every frame is '
                                                   'stepped as fast as it goes')
    if args.rate == 0 and not args.lossless:
        raise options.OptionError('--rate: 0 is not above 0 (0 is for --lossless)')
    if args.no_truth:
        options.refuse(args, ['truth_topic'], 'there is none to be taken with --no-truth')
    unfit = f'policy {args.policy} takes none; leave it out, or choose another --policy'
    if args.policy != Policy.SCHEDULER.value:
        options.refuse(args, ('p', 'max_consecutive_forecasts'), unfit)
    if args.policy != Policy.ALTERNATE.value:
        options.refuse(args, ['read_every'], unfit)
    if len(set(args.image_topic)) < len(args.image_topic):
        raise options.OptionError(f'--image-topic: one of {args.image_topic} is named twice')
    options.check_outputs(args, ['json'], [args.bag])
    default = StreamConfig()
    options.fill(args, rate=1.0, p=default.p, read_every=default.read_every,
                 max_consecutive_forecasts=0)
    return StreamConfig(
        p=args.p, policy=Policy(args.policy), read_every=args.read_every,
        max_consecutive_forecasts=args.max_consecutive_forecasts, max_gap_s=args.max_gap_s,
        score_threshold=min(SCORE_THRESHOLD, args.score_threshold),
    )
