"""Options that say what is measured on, shared by the commands that measure."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING

from tqdm import tqdm

from ..data.registry import Place, VIDEOS
from ..records.evaluation import Skipped as SkippedRecord
from . import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..data.bag_options import BagOptions
    from ..data.base import Clip, ClipDataset

SKIPPED = 3  # exit status
SPLIT, TOLERANCE_MS = 'val', 5.0


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is measured on; :func:`check_data` completes them."""
    parser.add_argument('--dataset', required=True, choices=VIDEOS)
    parser.add_argument('--root', help='folder of the data set; for rosbag a bag, or a folder of '
                                       'bags (folders with metadata.yaml, .mcap, .db3)')
    parser.add_argument('--split', help=f'default: {SPLIT}; bags have none')
    parser.add_argument('--stride', type=options.whole(1), default=1, metavar='K',
                        help='take every K-th frame of each clip; default: %(default)s')
    add_bags(parser, 'is not scored')


def add_bags(parser: argparse.ArgumentParser, unseen: str) -> None:
    """
    Add the options that say what of a bag is looked at.

    :param unseen: what becomes of a frame without truth.
    """
    parser.add_argument('--image-topic', metavar='TOPIC',
                        help='with rosbag: needed where a bag has several cameras')
    parser.add_argument('--truth-topic', metavar='TOPIC',
                        help='with rosbag: the Detection2DArray topic that has the truth; '
                             'default: found by its type')
    parser.add_argument('--truth-tolerance', type=options.number(0.0), metavar='MS',
                        help='with rosbag: how far the stamp of a truth may be from that of its '
                             'image; a frame without truth ' + unseen + '; '
                             f'default: {TOLERANCE_MS:g}')


def check_data(args: argparse.Namespace, split: str = SPLIT) -> None:
    """
    See that the options fit the data set, and fill in their defaults.

    :param split: where none is named.
    :raises OptionError: for options that the data set does not take, or a root that is missing.
    """
    bags = args.dataset == 'rosbag'
    if bags:
        options.refuse(args, ['split'], 'bags have no splits; leave it out')
    else:
        options.refuse(args, ['image_topic', 'truth_topic', 'truth_tolerance'],
                       f'is for --dataset rosbag; {args.dataset} has none')
    if args.dataset == 'synthetic':
        options.refuse(args, ['root'], 'the synthetic world is drawn, it lies nowhere; leave it '
                                       'out')
    elif not args.root:
        raise options.OptionError(
            f'--root: dataset {args.dataset} needs it, the folder that it lies in')
    if bags:
        options.fill(args, truth_tolerance=TOLERANCE_MS)
    else:
        options.fill(args, split=split)


def bag_options(args: argparse.Namespace) -> BagOptions:
    """Gather what of a bag is looked at."""
    from ..data.bag_options import BagOptions

    if args.dataset != 'rosbag':
        return BagOptions()
    return BagOptions(args.image_topic, args.truth_topic, round(args.truth_tolerance * 1e6))


def open_data(
    args: argparse.Namespace, labels: Sequence[str] | None, skipped: Skipped,
    needs_images: bool = True,
) -> ClipDataset:
    """
    Open what the options name, see :func:`~forecast_detector.data.registry.open_dataset`.

    :param skipped: takes down the bags that cannot be used.
    :param needs_images: False where only the truth is looked at.
    """
    from ..data.registry import open_dataset

    place = data_place(args, labels, skipped, needs_images)
    return open_dataset(args.dataset, place, args.stride)


def data_place(
    args: argparse.Namespace, labels: Sequence[str] | None, skipped: Skipped,
    needs_images: bool = True,
) -> Place:
    """Gather where the data lie, and what of them is wanted."""
    return Place(args.root, args.split or '', labels, bag_options(args), skipped.add,
                 needs_images)


class Skipped:
    """
    Bags that could not be used, told of on stderr as they come.

    :ivar rows: for the result.
    """

    def __init__(self) -> None:
        self.rows: list[SkippedRecord] = []

    def add(self, path: str | Path, reason: object) -> None:
        """Take one down; its name is always told, on one line."""
        name, text = str(path), options.one_line(reason)
        self.rows.append(SkippedRecord(name, text))
        where = '' if name in text else f'{name}: '
        tqdm.write(f'skipped: {where}{text}', file=sys.stderr)

    def clips_of(self, args: argparse.Namespace) -> Callable[[Clip, Exception], None] | None:
        """
        Give what takes down a clip with a frame that cannot be used.

        :returns: None for data sets other than bags: they are measured whole or not at all.
        """
        if args.dataset != 'rosbag':
            return None
        return lambda clip, error: self.add(clip.source, error)

    @property
    def status(self) -> int:
        """Exit status of a command that finished the rest."""
        return SKIPPED if self.rows else 0


def tell_unfinished(clips: Iterable[Clip]) -> dict[str, dict[str, str]]:
    """
    Tell on stderr what recordings lack that were not finished, or are damaged or odd.

    :returns: for the provenance: under ``unfinished`` what each lacks, by its path; nothing if
        all are whole.
    """
    parts: dict[str, dict[str, None]] = {}
    for clip in clips:  # several cameras of one recording lack some things together
        for part in (clip.lacks or '').split('; ') if clip.lacks else ():
            parts.setdefault(clip.source, {})[part] = None
    found = {source: '; '.join(lacks) for source, lacks in parts.items()}
    for source, lacks in found.items():
        tqdm.write(f'note: {source}: {lacks}', file=sys.stderr)
    return {'unfinished': found} if found else {}


def describe_data(args: argparse.Namespace) -> dict[str, Any]:
    """Say what was measured on."""
    about = {
        'dataset': args.dataset, 'root': args.root, 'split': args.split, 'stride': args.stride,
    }
    if args.dataset == 'rosbag':
        about.update(image_topic=args.image_topic, truth_topic=args.truth_topic,
                     truth_tolerance_ms=args.truth_tolerance)
    return about
