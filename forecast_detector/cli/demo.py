"""Run the detector in a live ROS 2 graph on the synthetic world, a video or a bag."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
import signal

from ..checkpoint import load_checkpoint
from ..config import StreamConfig
from ..demo.show import run as run_show
from ..demo.show import Show
from ..demo.source import check_source, SYNTHETIC
from ..demo.summary import read_numbers, summarise, table
from ..device import select_device
from ..node import require_ros
from . import options
from .common import add_device, clear_results
from .live_line import LiveLine

OURS = ('bag', 'annotated.mp4', 'numbers.json', 'summary.json', 'live.json', 'log')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--video', type=Path, help='video file to play (default: synthetic world)')
    source.add_argument('--bag', type=Path, help='rosbag2 folder or .mcap file to play')
    parser.add_argument('--topic', help='image topic of the bag (default: its only)')
    parser.add_argument(
        '--p',
        type=options.unit,
        default=StreamConfig().p,
        help='threshold of the scheduler, 0 to 1; 1 reads every frame (default: %(default)s)',
    )
    parser.add_argument(
        '--weights', help='shipped name or file (default: synthetic for its world, else foda)'
    )
    parser.add_argument(
        '--frames', type=options.whole(0), default=0, metavar='N',
        help='stop after N frames (default: 0, all)',
    )
    parser.add_argument(
        '--rate',
        type=options.number(0.0),
        default=0.0,
        metavar='HZ',
        help="frames a second (default: the source's own)",
    )
    add_device(parser)
    parser.add_argument('--out', type=Path, default=Path('out/demo'), help='folder of the results')


def choose(args: argparse.Namespace) -> tuple[str, str]:
    """Choose source and weights."""
    path = args.video or args.bag
    source = str(path.resolve()) if path else SYNTHETIC
    return source, args.weights or ('foda' if path else SYNTHETIC)


def run(args: argparse.Namespace) -> int:
    """Run the processes, then sum up."""
    if not args.bag:
        options.refuse(args, ['topic'], 'is for --bag')
    options.check_folder('--out', args.out)
    require_ros()
    select_device(args.device)  # a missing one is told here, not in a log
    source, weights = choose(args)
    fps = check_source(source, args.topic or '')
    checkpoint = load_checkpoint(weights)  # a bad file is told here, not in a log
    clear_results(args.out, OURS, args.video or args.bag)
    show = Show(
        source,
        checkpoint.path,
        args.out,
        args.p,
        args.rate or fps,
        args.device,
        args.topic or '',
        args.frames,
        args.rate,
    )
    line = LiveLine()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the processes end with this one
    try:
        numbers = read_numbers(run_show(show, line.say, line.note))
    finally:
        line.end()
    name = str(args.video or args.bag or SYNTHETIC)
    summary = summarise(numbers, name, weights, args.p)
    (args.out / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n')
    print(table(summary, numbers))
    print(f'\n  {args.out}/: annotated.mp4, bag/, summary.json, numbers.json, log/')
    return 0
