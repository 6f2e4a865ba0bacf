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

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, TYPE_CHECKING

from ..bags.writer import Storage
from ..types import BadFrameError
from . import common, options
from .command import Command, option
from .data import SkippedBags, tell_unfinished

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


@dataclass(frozen=True, kw_only=True)
class ConvertCommand(Command):
    """Options of ``convert``."""

    source: str = option('; '.join(f'{name}: {text}' for name, text in SOURCES.items()),
                         flags=['--from'], choices=SOURCES)
    root: Path = option('folder of the source', parse=Path)
    to: str = option('what is written', choices=TARGETS)
    out: Path = option('CocoVID root, or folder of the bags', parse=Path, metavar='DIR')
    split: str = option('to be read, where the source has splits, and to be written', 'val')
    clip: Sequence[str] = option('convert only these clips', (), nargs='+', action='extend',
                                 metavar='NAME')
    image_topic: str | None = option(
        'default: the only one, read; /camera/image_raw, written (with /compressed behind it '
        'where the images are)', None, section='bags', metavar='T')
    truth_topic: str | None = option(
        "default: found by its type, read ('' takes none); beside the images, written", None,
        section='bags', metavar='T')
    storage: Storage = option('of the bags', 'mcap', choices=get_args(Storage), section='bags')
    jpeg_quality: int | None = option(
        'write compressed images, 1 to 100; default: raw', None, options.whole(1),
        section='bags', metavar='Q')
    start: float = option('added to the stamps, seconds', 0.0, options.number(0.0),
                          section='bags', metavar='S')
    png: bool = option('write CocoVID frames as PNG, without loss; default: JPEG', False,
                       section='other')
    length: int = option('frames of a clip of pseudo motion', 11, options.whole(1),
                         section='other')
    fps: float = option('of voc_video', 30.0, options.above_zero, section='other')
    min_length: int = option('shorter clips of voc_video are left out', 10, options.whole(1),
                             section='other')
    val_share: float | None = option('split voc_video by whole clips into train and val', None,
                                     options.unit, section='other', metavar='SHARE')

    def run(self) -> int:
        """Convert."""
        from ..data.convert import write_coco_vid

        self._check()
        skipped, passed_over = SkippedBags(), common.PassedOver()

        def pass_over(error: BadFrameError) -> None:
            passed_over.say(f'note: passed over: {options.one_line(error)}')

        splits = {split: _chosen(dataset, self.clip)
                  for split, dataset in _splits(self, skipped).items()}
        targets = {split: _targets(self, split, dataset) for split, dataset in splits.items()}
        for split, dataset in splits.items():
            if self.to == 'rosbag':
                _write_bags(self, dataset, targets[split], skipped, pass_over)
                continue
            suffix = '.png' if self.png else '.jpg'
            path, clips, images = write_coco_vid(
                dataset, self.out, split, suffix, pass_over,
                lambda clip: skipped.add(clip.source, 'none of its images can be used'),
            )
            print(f'{path}: {clips} clips, {images} images, {len(dataset.labels)} classes')
        passed_over.finish()
        return skipped.status

    def _check(self) -> None:
        """See that the options go together."""
        if self.source == self.to == 'rosbag':
            raise options.OptionError(
                'from bags to bags there is nothing to convert; see `ros2 bag convert`')
        if self.to != 'rosbag':
            self.refuse(('storage', 'jpeg_quality', 'start'), 'is for --to rosbag')
        if self.to != 'coco_vid':
            self.refuse(['png'], 'is for --to coco_vid')
        if 'rosbag' not in (self.source, self.to):
            self.refuse(('image_topic', 'truth_topic'), 'is for bags')
        if self.source not in STILLS:
            self.refuse(['length'], f'is for {" and ".join(STILLS)}')
        if self.source != 'voc_video':
            self.refuse(('fps', 'min_length', 'val_share'), 'is for voc_video')
        if self.val_share is not None:
            self.refuse(['split'], '--val-share makes the splits train and val')
        elif self.source == 'voc_video' and self.to == 'rosbag':
            self.refuse(['split'], 'neither voc_video nor bags have splits')
        if self.val_share in (0.0, 1.0):
            raise options.OptionError(
                f'--val-share: {self.val_share} leaves one of the splits empty')
        if self.jpeg_quality is not None and self.jpeg_quality > 100:
            raise options.OptionError(f'--jpeg-quality: {self.jpeg_quality} is outside [1, 100]')
        if self.to == 'rosbag' and '' in (self.image_topic, self.truth_topic):
            raise options.OptionError("'' is no topic to write to; name one, or leave it out")
        if self.split in ('', '.', '..') or '/' in self.split:
            raise options.OptionError(
                f'--split: {self.split!r} is no name; give one without folders')
        options.check_folder('--out', self.out)


def _splits(command: ConvertCommand, skipped: SkippedBags) -> dict[str, ClipDataset]:
    """Open the source; name the splits that it becomes."""
    if command.val_share is None:
        return {command.split: _load(command, skipped)}
    from ..data.voc_video import split_clips

    train, val = split_clips(_load(command, skipped), command.val_share)
    return {'train': train, 'val': val}


def _load(command: ConvertCommand, skipped: SkippedBags) -> ClipDataset:
    from ..data.registry import KINDS, Place

    if command.source == 'rosbag':
        return _load_bags(command, skipped)
    return KINDS[command.source.removesuffix('_still')](Place(
        str(command.root), command.split, stills=command.length, fps=command.fps,
        min_length=command.min_length,
    ))


def _load_bags(command: ConvertCommand, skipped: SkippedBags) -> ClipDataset:
    """Load bags; a clip is named after its bag, classes are numbered as the bags say."""
    from ..data.convert import read_labels
    from ..data.rosbag import find_bags, load_rosbag

    lists = set()
    for bag in find_bags(command.root):
        with suppress(ValueError, OSError):  # named when it is loaded
            lists.add(read_labels(bag))
    labels = lists.pop() if len(lists) == 1 else None
    dataset = load_rosbag(command.root, command.image_topic, command.truth_topic, labels,
                          on_bad=skipped.add)
    tell_unfinished(dataset.clips)
    bags = [Path(clip.source) for clip in dataset.clips]
    names = [bag.name if bag.is_dir() else bag.stem for bag in bags]
    for clip, bag, name in zip(dataset.clips, bags, names):
        # A folder run_1 beside a file run_1.mcap: by their whole names.
        clip.name = name if names.count(name) == 1 else bag.name
    return dataset


def _chosen(dataset: ClipDataset, names: Sequence[str]) -> ClipDataset:
    """Keep the clips that were asked for."""
    from ..data.base import ClipDataset

    known = [clip.name for clip in dataset.clips]
    unknown = sorted(set(names) - set(known))
    if unknown:
        shown = ', '.join(known[:10]) + (', …' if len(known) > 10 else '')
        raise options.OptionError(f'--clip: {unknown} are not there; there are {shown}')
    clips = [clip for clip in dataset.clips if not names or clip.name in names]
    return ClipDataset(dataset.labels, clips)


def _targets(command: ConvertCommand, split: str, dataset: ClipDataset) -> list[Path]:
    """
    Name the files or folders that a split becomes, before anything is written.

    :raises FileExistsError: if one of them is there.
    """
    from ..data.convert import annotation_file
    from ..data.folders import folder_name, folder_names

    if command.to != 'rosbag':
        targets = [annotation_file(command.out, split)]
    else:
        folder = command.out / split if command.val_share is not None else command.out
        targets = [folder / name for name in folder_names(dataset.clips)]
        for clip, target in zip(dataset.clips, targets):
            if target.name != folder_name(clip):
                common.note(f'the clip {clip.name} becomes {target}: {folder_name(clip)} is '
                            'the folder of another')
    for target in targets:
        if target.exists() or target.is_symlink():
            raise FileExistsError(f'{target} exists; nothing is written over another: remove it, '
                                  'or choose another --out')
    return targets


def _write_bags(
    command: ConvertCommand, dataset: ClipDataset, targets: list[Path], skipped: SkippedBags,
    pass_over: Callable[[BadFrameError], None],
) -> None:
    """
    Write a bag a clip; clips without a usable image are named and skipped.

    :raises ValueError: if that are all.
    """
    from ..bags import BagReader
    from ..data.convert import clip_to_bag, EmptyClipError
    from ..topics import beside, TRANSPORT

    suffix = TRANSPORT if command.jpeg_quality else ''
    topic = command.image_topic or f'/camera/image_raw{suffix}'
    truth_topic = command.truth_topic or beside(topic, 'truth')
    crowds = bags = images = 0
    for clip, target in common.progress(zip(dataset.clips, targets), len(targets), 'bags'):
        try:
            crowds += clip_to_bag(
                clip, dataset.labels, target, topic, truth_topic, command.jpeg_quality,
                command.storage, start_ns=round(command.start * 1e9), on_bad=pass_over,
            )
        except EmptyClipError as error:
            skipped.add(clip.source, error)
            continue
        with BagReader(target) as bag:
            bags, images = bags + 1, images + bag.count(topic)
    if crowds:
        common.note(f'{crowds} crowd regions have no form in a Detection2DArray: left out')
    if targets and not bags:
        raise ValueError(f'{command.out}: no bag is written: there is no image that can be used')
    folder = targets[0].parent if targets else command.out
    print(f'{folder}: {bags} bags, {images} images')
