"""The options of ``replay``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from ..bags.writer import Storage
from ..config import StreamConfig
from ..types import Policy
from . import common


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


def check(args: argparse.Namespace) -> StreamConfig:
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
