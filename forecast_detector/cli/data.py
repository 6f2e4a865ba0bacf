"""Options that say what is measured on, shared by the commands that measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..data.bag_options import BagOptions
from ..data.base import Clip, ClipDataset, unfinished
from ..data.registry import MEASURED, open_dataset, Place, RECORDINGS, VIDEOS
from ..records.evaluation import Provenance, Skipped
from . import options
from .command import Command, option, stream_option

if TYPE_CHECKING:
    from ..scoring.judging import Judging

SKIPPED = 3  # exit status


@dataclass(frozen=True, kw_only=True)
class DataOptions(Command):
    """What is measured on, or learnt from."""

    dataset: str = option('data set', choices=VIDEOS)
    root: str | None = option(
        'folder of the data set; for rosbag a bag, or a folder of bags (folders with '
        'metadata.yaml, .mcap, .db3)', None)
    split: str = option('bags and videos have none', 'val')
    image_topic: str | None = option(
        'with rosbag: needed where a bag has several cameras', None, metavar='TOPIC')
    truth_topic: str | None = option(
        'with rosbag: the Detection2DArray topic that has the truth; default: found by its type',
        None, metavar='TOPIC')
    truth_tolerance: float = option(
        'with rosbag: how far the stamp of a truth may be from that of its image; a frame without '
        'truth is not scored, and teaches no objects', 5.0, options.number(0.0), metavar='MS')

    def check_data(self) -> None:
        """
        See that the options fit the data set.

        :raises OptionError: for those that it does not take, or a root that is missing.
        """
        if self.dataset in RECORDINGS:
            kind = 'bags' if self.dataset == 'rosbag' else 'videos'
            self.refuse(['split'], f'{kind} have no splits; leave it out')
        if self.dataset != 'rosbag':
            self.refuse(['image_topic', 'truth_topic', 'truth_tolerance'],
                        f'is for --dataset rosbag; {self.dataset} has none')
        if self.dataset == 'synthetic':
            self.refuse(['root'], 'the synthetic world is drawn, it lies nowhere; leave it out')
        elif not self.root:
            raise options.OptionError(
                f'--root: dataset {self.dataset} needs it, the folder that it lies in')

    @property
    def bags(self) -> BagOptions:
        """What of a bag is wanted."""
        if self.dataset != 'rosbag':
            return BagOptions()
        return BagOptions(self.image_topic, self.truth_topic, round(self.truth_tolerance * 1e6))


@dataclass(frozen=True, kw_only=True)
class ReferenceOptions(Command):
    """What detections are judged by."""

    reference: str = option(
        'what stands for the truth: read, what reading every frame gives. Figures then tell the '
        'agreement with it; no annotations are needed', 'truth', choices=('truth', 'read'))
    reference_score: float = option(
        'with --reference read: what reading gives counts from this score on', 0.4, options.unit,
        metavar='S')

    def check_reference(self) -> None:
        """:raises OptionError: for a score that nothing is taken from."""
        if self.reference != 'read':
            self.refuse(['reference_score'], 'is for --reference read; give it, too')

    def judging(self, threshold: float) -> Judging:
        """
        Say what is judged by.

        :param threshold: score from which a user sees a detection.
        """
        from ..scoring.judging import Judging

        return Judging(threshold, self.reference_score if self.reference == 'read' else None)

    def describe_reference(self) -> Provenance:
        """Say what was judged by, for the provenance."""
        read = self.reference == 'read'
        return {'reference': 'read' if read else None,
                'reference_score': self.reference_score if read else None}


@dataclass(frozen=True, kw_only=True)
class MeasuredOn(ReferenceOptions, DataOptions):
    """What is measured on, and judged by."""

    dataset: str = option('data set; video: a video file, or a folder of videos or pictures, '
                          'without truth', choices=MEASURED)
    score_threshold: float = stream_option(
        'score_threshold', 'score from which a user sees a detection: for recall and the frames '
        'until a new object is found; precision counts weaker ones, too')
    stride: int = option('take every K-th frame of each clip', 1, options.whole(1), metavar='K')

    def place(
        self, labels: Sequence[str] | None, skipped: SkippedBags, needs_images: bool = True
    ) -> Place:
        """
        Gather where the data lie, and what of them is wanted.

        :param skipped: takes down the recordings that cannot be used.
        :param needs_images: False where only the truth is needed.
        """
        return Place(self.root, self.split, labels, self.bags, skipped.add, needs_images,
                     passes_foreign=self.reference == 'read')

    def open_data(
        self, labels: Sequence[str] | None, skipped: SkippedBags, needs_images: bool = True
    ) -> ClipDataset:
        """Open the data, see :func:`~forecast_detector.data.registry.open_dataset`."""
        return open_dataset(self.dataset, self.place(labels, skipped, needs_images), self.stride)

    def check_has_truth(self) -> None:
        """:raises OptionError: for data that never has a truth, where that is measured by."""
        if self.dataset == 'video' and self.reference != 'read':
            raise options.OptionError('--dataset video: has no truth to measure by; give '
                                      '--reference read, which takes what reading every frame '
                                      'gives')

    def check_truth(self, dataset: ClipDataset) -> None:
        """
        See that there is a truth, before hours are spent; tell on stderr of frames without one.

        :raises ValueError: if no frame has one, where that is measured by.
        """
        if self.reference == 'read':
            return
        annotated = sum(clip.truth(at).annotated for clip in dataset.clips
                        for at in range(len(clip)))
        if not annotated:
            raise ValueError('no frame has a truth: there is nothing to measure by; give '
                             '--reference read, which takes what reading every frame gives')
        tell_part(annotated, len(dataset))

    def on_bad(self, skipped: SkippedBags) -> Callable[[Clip, Exception], None] | None:
        """
        Give what takes down a clip with a frame that cannot be used.

        :returns: None for data sets other than recordings: they are measured whole or not at all.
        """
        if self.dataset not in RECORDINGS:
            return None
        return lambda clip, error: skipped.add(clip.source, error)

    def describe(self, clips: Iterable[Clip]) -> Provenance:
        """Say what was measured on; tells on stderr what recordings lack."""
        from ..evaluation.provenance import data_origin

        clips = list(clips)
        tell_unfinished(clips)
        return {
            **data_origin(self.dataset, self.root, self.split, self.stride, self.bags, clips),
            'score_threshold': self.score_threshold, **self.describe_reference(),
        }


def tell_part(annotated: int, frames: int) -> None:
    """Tell on stderr of a truth that some frames have, or none; see docs/protocol.md."""
    if not annotated:
        tqdm.write('note: no frame has a truth; there is nothing to score by (--reference read '
                   'takes what reading every frame gives)', file=sys.stderr)
    elif annotated < frames:
        tqdm.write(f'note: {annotated} of {frames} frames are annotated, the others are not '
                   'scored. If not all objects of these are, precision says nothing: take '
                   '--reference read', file=sys.stderr)


class SkippedBags:
    """
    Recordings that could not be used, named on stderr as they come.

    :ivar rows: for the result.
    """

    def __init__(self) -> None:
        self.rows: list[Skipped] = []

    def add(self, path: str | Path, reason: object) -> None:
        """Take one down; its name is always printed, on one line."""
        name, text = str(path), options.one_line(reason)
        self.rows.append(Skipped(name, text))
        where = '' if name in text else f'{name}: '
        tqdm.write(f'skipped: {where}{text}', file=sys.stderr)

    @property
    def status(self) -> int:
        """Exit status of a command that finished the rest."""
        return SKIPPED if self.rows else 0


def tell_unfinished(clips: Iterable[Clip]) -> None:
    """Say on stderr what recordings lack that were not finished, or are damaged or odd."""
    for source, lacks in unfinished(clips).items():
        tqdm.write(f'note: {source}: {lacks}', file=sys.stderr)
