"""Options that say what is measured on, shared by the commands that measure."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..data.base import ClipDataset
    from ..evaluation.datasets import BagOptions

DATASETS = ('coco_vid', 'imagenet_vid', 'rosbag', 'synthetic')


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is measured on."""
    parser.add_argument('--dataset', required=True, choices=DATASETS)
    parser.add_argument('--root', help='folder of the data set; for rosbag a bag, or a folder of '
                                       'bags (folders with metadata.yaml, .mcap, .db3)')
    parser.add_argument('--split', default='val', help='default: %(default)s; bags have none')
    parser.add_argument('--stride', type=int, default=1, metavar='K',
                        help='take every K-th frame of each clip; default: %(default)s')
    parser.add_argument('--image-topic', metavar='TOPIC',
                        help='with rosbag: needed where a bag has several cameras')
    parser.add_argument('--truth-topic', metavar='TOPIC',
                        help='with rosbag: the Detection2DArray topic that has the truth; '
                             'default: found by its type')
    parser.add_argument('--truth-tolerance', type=float, default=5.0, metavar='MS',
                        help='with rosbag: how far the stamp of a truth may be from that of its '
                             'image; a frame without truth is not scored; default: %(default)s')


def bag_options(args: argparse.Namespace) -> BagOptions:
    """
    Gather what of a bag is looked at.

    :raises ValueError: for topics where there are no bags.
    """
    from ..evaluation.datasets import BagOptions

    if args.dataset != 'rosbag' and (args.image_topic or args.truth_topic):
        raise ValueError(
            f'--image-topic and --truth-topic are for --dataset rosbag; {args.dataset} has none'
        )
    return BagOptions(args.image_topic, args.truth_topic, round(args.truth_tolerance * 1e6))


def open_data(
    args: argparse.Namespace, labels: Sequence[str] | None,
    on_bad: Callable[[Path, Exception], None] | None = None,
) -> ClipDataset:
    """Open what the options name, see :func:`~forecast_detector.evaluation.datasets`."""
    from ..evaluation.datasets import open_dataset

    return open_dataset(args.dataset, args.root, args.split, args.stride, labels,
                        bag_options(args), on_bad)


class Skipped:
    """
    Bags that could not be used, told of on stderr as they come.

    :ivar rows: ``name`` and ``reason`` of each.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def add(self, path: str | Path, reason: object) -> None:
        """Take one down."""
        self.rows.append({'name': str(path), 'reason': str(reason)})
        tqdm.write(f'skipped: {reason}', file=sys.stderr)


def describe_data(args: argparse.Namespace) -> dict[str, Any]:
    """Say what was measured on."""
    about = {
        'dataset': args.dataset, 'root': args.root, 'split': args.split, 'stride': args.stride,
    }
    if args.dataset == 'rosbag':
        about.update(image_topic=args.image_topic, truth_topic=args.truth_topic,
                     truth_tolerance_ms=args.truth_tolerance)
    return about
