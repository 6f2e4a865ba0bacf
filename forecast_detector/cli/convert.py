"""
Turn annotated data into CocoVID files or bags.

  convert --from coco_vid --root DATA --split val --to rosbag --out BAGS    one bag a clip
  convert --from rosbag --root BAGS --to coco_vid --out DATA --split val    to label, say
  convert --from voc_video --root FOD-A --val-share 0.15 --to coco_vid --out DATA

CocoVID is COCO's JSON with videos, frame numbers and tracks: ROOT/annotations/SPLIT.json, frames
in ROOT/SPLIT. Images that are JPEG or PNG files already are copied as they are.

Bags that cannot be used are named and skipped, the rest is converted, and the exit status is 3.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import get_args, TYPE_CHECKING

from ..bags.writer import Storage
from ..types import BadFrameError
from . import common, options
from .data import Skipped, tell_unfinished

if TYPE_CHECKING:
    from ..data.base import ClipDataset

SOURCES = {
    'coco_vid': 'CocoVID',
    'rosbag': 'a bag, or a folder of bags; without truth, too',
    'imagenet_vid': 'ImageNet VID',
    'voc_video': 'Pascal VOC images that are frames of video, such as FOD-A: clips and tracks are '
                 'found again by number, class and overlap',
    'voc_still': 'Pascal VOC images, as clips of pseudo motion',
    'coco_still': 'COCO images, as clips of pseudo motion',
}
TARGETS = ('coco_vid', 'rosbag')
STILLS = ('voc_still', 'coco_still')
SPLIT, STORAGE, START_S, LENGTH, FPS, MIN_LENGTH = 'val', 'mcap', 0.0, 11, 30.0, 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``convert``."""
    kinds = '; '.join(f'{name}: {text}' for name, text in SOURCES.items())
    parser.add_argument('--from', dest='source', required=True, choices=SOURCES, help=kinds)
    parser.add_argument('--root', required=True, type=Path, help='folder of the source')
    parser.add_argument('--to', required=True, choices=TARGETS)
    parser.add_argument('--out', required=True, type=Path, metavar='DIR',
                        help='CocoVID root, or folder of the bags')
    parser.add_argument('--split',
                        help='to be read, where the source has splits, and to be written; '
                             f'default: {SPLIT}')
    parser.add_argument('--clip', nargs='+', action='extend', default=[], metavar='NAME',
                        help='convert only these clips')
    bags = parser.add_argument_group('bags')
    bags.add_argument('--image-topic', metavar='T',
                      help='default: the only one, read; /camera/image_raw, written (with '
                           '/compressed behind it where the images are)')
    bags.add_argument('--truth-topic', metavar='T',
                      help="default: found by its type, read ('' takes none); beside the "
                           'images, written')
    bags.add_argument('--storage', choices=get_args(Storage), help=f'default: {STORAGE}')
    bags.add_argument('--jpeg-quality', type=options.whole(1), metavar='Q',
                      help='write compressed images, 1 to 100; default: raw')
    bags.add_argument('--start', type=options.number(0.0), metavar='S',
                      help=f'added to the stamps, seconds; default: {START_S}')
    other = parser.add_argument_group('other')
    other.add_argument('--png', action='store_true',
                       help='write CocoVID frames as PNG, without loss; default: JPEG')
    other.add_argument('--length', type=options.whole(1),
                       help=f'frames of a clip of pseudo motion; default: {LENGTH}')
    other.add_argument('--fps', type=options.above_zero, help=f'of voc_video; default: {FPS}')
    other.add_argument('--min-length', type=options.whole(1),
                       help=f'shorter clips of voc_video are left out; default: {MIN_LENGTH}')
    other.add_argument('--val-share', type=options.unit, metavar='SHARE',
                       help='split voc_video by whole clips into train and val')


def run(args: argparse.Namespace) -> int:
    """Run ``convert``."""
    from ..data.convert import write_coco_vid

    _check(args)
    skipped, passed_over = Skipped(), common.PassedOver()

    def pass_over(error: BadFrameError) -> None:
        passed_over.say(f'note: passed over: {options.one_line(error)}')

    splits = {split: _chosen(dataset, args.clip)
              for split, dataset in _splits(args, skipped).items()}
    targets = {split: _targets(args, split, dataset) for split, dataset in splits.items()}
    for split, dataset in splits.items():
        if args.to == 'rosbag':
            _write_bags(args, dataset, targets[split], skipped, pass_over)
            continue
        suffix = '.png' if args.png else '.jpg'
        path, clips, images = write_coco_vid(
            dataset, args.out, split, suffix, pass_over,
            lambda clip: skipped.add(clip.source, 'none of its images can be used'),
        )
        print(f'{path}: {clips} clips, {images} images, {len(dataset.labels)} classes')
    passed_over.finish()
    return skipped.status


def _check(args: argparse.Namespace) -> None:
    """See that the options go together, and fill in their defaults."""
    if args.source == args.to == 'rosbag':
        raise options.OptionError(
            'from bags to bags there is nothing to convert; see `ros2 bag convert`')
    if args.to != 'rosbag':
        options.refuse(args, ('storage', 'jpeg_quality', 'start'), 'is for --to rosbag')
    if args.to != 'coco_vid':
        options.refuse(args, ['png'], 'is for --to coco_vid')
    if 'rosbag' not in (args.source, args.to):
        options.refuse(args, ('image_topic', 'truth_topic'), 'is for bags')
    if args.source not in STILLS:
        options.refuse(args, ['length'], f'is for {" and ".join(STILLS)}')
    if args.source != 'voc_video':
        options.refuse(args, ('fps', 'min_length', 'val_share'), 'is for voc_video')
    if args.val_share is not None:
        options.refuse(args, ['split'], '--val-share makes the splits train and val')
    elif args.source == 'voc_video' and args.to == 'rosbag':
        options.refuse(args, ['split'], 'neither voc_video nor bags have splits')
    if args.val_share in (0.0, 1.0):
        raise options.OptionError(f'--val-share: {args.val_share} leaves one of the splits empty')
    if args.jpeg_quality is not None and args.jpeg_quality > 100:
        raise options.OptionError(f'--jpeg-quality: {args.jpeg_quality} is outside [1, 100]')
    if args.to == 'rosbag' and '' in (args.image_topic, args.truth_topic):
        raise options.OptionError("'' is no topic to write to; name one, or leave it out")
    if args.split is not None and (args.split in ('', '.', '..') or '/' in args.split):
        raise options.OptionError(f'--split: {args.split!r} is no name; give one without folders')
    options.check_folder('--out', args.out)
    options.fill(args, split=SPLIT, storage=STORAGE, start=START_S, length=LENGTH, fps=FPS,
                 min_length=MIN_LENGTH)


def _splits(args: argparse.Namespace, skipped: Skipped) -> dict[str, ClipDataset]:
    """Open the source; name the splits that it becomes."""
    if args.val_share is None:
        return {args.split: _load(args, skipped)}
    from ..data.voc_video import split_clips

    train, val = split_clips(_load(args, skipped), args.val_share)
    return {'train': train, 'val': val}


def _load(args: argparse.Namespace, skipped: Skipped) -> ClipDataset:
    from ..data import coco_vid, imagenet_vid, still, voc_video

    if args.source == 'coco_vid':
        return coco_vid.load_coco_vid(args.root, args.split)
    if args.source == 'rosbag':
        return _load_bags(args, skipped)
    if args.source == 'imagenet_vid':
        return imagenet_vid.load_imagenet_vid(args.root, args.split)
    if args.source == 'voc_video':
        return voc_video.load_voc_video(args.root, args.min_length, fps=args.fps)
    if args.source == 'voc_still':
        return still.load_still_voc(args.root, args.split, args.length)
    return still.load_still_coco(args.root, args.split, args.length)


def _load_bags(args: argparse.Namespace, skipped: Skipped) -> ClipDataset:
    """Load bags; a clip is named after its bag, classes are numbered as the bags say."""
    from ..data.convert import read_labels
    from ..data.rosbag import find_bags, load_rosbag

    lists = set()
    for bag in find_bags(args.root):
        with suppress(ValueError, OSError):  # told of when it is loaded
            lists.add(read_labels(bag))
    labels = lists.pop() if len(lists) == 1 else None
    dataset = load_rosbag(args.root, args.image_topic, args.truth_topic, labels,
                          on_bad=skipped.add)
    tell_unfinished(dataset.clips)
    bags = [Path(clip.source) for clip in dataset.clips]
    names = [bag.name if bag.is_dir() else bag.stem for bag in bags]
    for clip, bag, name in zip(dataset.clips, bags, names):
        # A folder run_1 beside a file run_1.mcap: by their whole names.
        clip.name = name if names.count(name) == 1 else bag.name
    return dataset


def _chosen(dataset: ClipDataset, names: list[str]) -> ClipDataset:
    """Keep the clips that were asked for."""
    from ..data.base import ClipDataset

    known = [clip.name for clip in dataset.clips]
    unknown = sorted(set(names) - set(known))
    if unknown:
        shown = ', '.join(known[:10]) + (', …' if len(known) > 10 else '')
        raise options.OptionError(f'--clip: {unknown} are not there; there are {shown}')
    clips = [clip for clip in dataset.clips if not names or clip.name in names]
    return ClipDataset(dataset.labels, clips)


def _targets(args: argparse.Namespace, split: str, dataset: ClipDataset) -> list[Path]:
    """
    Name the files or folders that a split becomes, before anything is written.

    :raises FileExistsError: if one of them is there.
    """
    from ..data.convert import annotation_file
    from ..data.folders import folder_name, folder_names

    if args.to != 'rosbag':
        targets = [annotation_file(args.out, split)]
    else:
        folder = args.out / split if args.val_share is not None else args.out
        targets = [folder / name for name in folder_names(dataset.clips)]
        for clip, target in zip(dataset.clips, targets):
            if target.name != folder_name(clip):
                common.note(f'note: the clip {clip.name} becomes {target}: {folder_name(clip)} is '
                            'the folder of another')
    for target in targets:
        if target.exists() or target.is_symlink():
            raise FileExistsError(f'{target} exists; nothing is written over another: remove it, '
                                  'or choose another --out')
    return targets


def _write_bags(
    args: argparse.Namespace, dataset: ClipDataset, targets: list[Path], skipped: Skipped,
    pass_over: Callable[[BadFrameError], None],
) -> None:
    """
    Write a bag a clip; clips without a usable image are named and skipped.

    :raises ValueError: if that are all.
    """
    from ..bags import BagReader
    from ..data.convert import clip_to_bag, EmptyClipError
    from ..topics import beside, TRANSPORT

    topic = args.image_topic or '/camera/image_raw' + (TRANSPORT if args.jpeg_quality else '')
    truth_topic = args.truth_topic or beside(topic, 'truth')
    crowds = bags = images = 0
    for clip, target in common.progress(zip(dataset.clips, targets), len(targets), 'bags'):
        try:
            crowds += clip_to_bag(
                clip, dataset.labels, target, topic, truth_topic, args.jpeg_quality,
                args.storage, start_ns=round(args.start * 1e9), on_bad=pass_over,
            )
        except EmptyClipError as error:
            skipped.add(clip.source, error)
            continue
        with BagReader(target) as bag:
            bags, images = bags + 1, images + bag.count(topic)
    if crowds:
        common.note(f'{crowds} crowd regions have no form in a Detection2DArray: left out')
    if targets and not bags:
        raise ValueError(f'{args.out}: no bag is written: there is no image that can be used')
    folder = targets[0].parent if targets else args.out
    print(f'{folder}: {bags} bags, {images} images')
