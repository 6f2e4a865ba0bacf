"""
Video that was published as single Pascal VOC images (FOD-A, say), found again as clips.

Neighbouring numbers, the same classes, and boxes that overlap make a clip; overlap makes tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
import re

import numpy as np
from numpy.typing import NDArray

from ..boxes import iou
from ..types import BadFrameError
from .base import Clip, ClipDataset, Truth
from .frames import PackedTruth
from .image_files import read_encoded, read_image, Size, stated_size
from .labels import label_indices
from .still import voc_truth
from .voc_xml import read_voc


class ImageFilesClip(Clip):
    """Image files in order, with their truth."""

    def __init__(
        self, name: str, files: Sequence[Path], truth: PackedTruth, fps: float = 30.0,
        first_image_id: int = 0, sizes: Sequence[Size | None] | None = None,
    ) -> None:
        """Take the files, and for each a truth and the (width, height) that it states."""
        self.name, self.files, self.fps = name, files, fps
        self._truth, self.first_image_id = truth, first_image_id
        self._sizes = sizes if sizes is not None else [None] * len(files)

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a file."""
        if not 0 <= index < len(self):
            raise BadFrameError(f'{self.name}: frame {index} asked for; there are {len(self)}')
        return read_image(self.files[index], self._sizes[index], size_binds=False)

    def encoded(self, index: int) -> tuple[str, bytes] | None:
        """Return a file as it is."""
        return read_encoded(self.files[index])

    def truth(self, index: int) -> Truth:
        """Return a file's objects."""
        return self._truth[index]

    def image_id(self, index: int) -> int:
        """Count from ``first_image_id``."""
        return self.first_image_id + index

    def part(self, name: str, frames: range) -> ImageFilesClip:
        """Take a stretch of the clip."""
        truth = PackedTruth.pack(self._truth[k] for k in frames)
        return ImageFilesClip(
            name, [self.files[k] for k in frames], truth, self.fps,
            sizes=[self._sizes[k] for k in frames],
        )


def link(before: Truth, now: Truth, min_iou: float, fresh: int) -> tuple[Truth, int]:
    """
    Carry tracks from one frame to the next: best overlap first, within a class.

    :param fresh: first track number that is not in use.
    :returns: ``now`` with tracks, and the number of tracks that go on.
    """
    overlap = iou(now.boxes, before.boxes)
    overlap[now.labels[:, None] != before.labels[None, :]] = 0
    tracks = np.full(len(now), -1, np.int64)
    carried = 0
    while overlap.size and overlap.max() >= max(min_iou, 1e-6):
        row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
        tracks[row] = before.tracks[column]
        overlap[row], overlap[:, column] = 0, 0
        carried += 1
    new = tracks < 0
    tracks[new] = fresh + np.arange(int(new.sum()))
    return Truth(now.boxes, now.labels, tracks), carried


@dataclass
class _Open:
    """A clip that is growing."""

    files: list[Path]
    truths: list[Truth]
    number: int

    def follows(self, number: int, truth: Truth, min_iou: float) -> bool:
        """Say whether a frame goes on with the clip, and take its truth if it does."""
        last = self.truths[-1]
        if number != self.number + 1 or set(truth.labels) != set(last.labels):
            return False
        fresh = max((int(t.tracks.max()) for t in self.truths if len(t)), default=-1) + 1
        linked, carried = link(last, truth, min_iou, fresh)
        if len(truth) and carried == 0:
            return False
        self.truths.append(linked)
        return True


def _numbered(names: Iterable[str]) -> list[tuple[str, int, str]]:
    """Split names into text and last number, and sort by them."""
    rows = []
    for name in names:
        found = re.search(r'(\d+)(\D*)$', name)
        if found is None:
            raise ValueError(f'{name!r} has no number; frames of a video are known by theirs')
        rows.append((name[:found.start()] + found[2], int(found[1]), name))
    return sorted(rows)


def load_voc_video(
    root: str | Path, min_length: int = 10, min_iou: float = 0.2, fps: float = 30.0
) -> ClipDataset:
    """
    Find the clips in ``root/Annotations`` and ``root/JPEGImages``.

    :param min_length: shorter clips are left out.
    :param min_iou: a clip goes on while an object overlaps itself that much.
    :raises FileNotFoundError: if there are no annotations.
    :raises ValueError: for a broken annotation, or a name without number.
    """
    root = Path(root)
    names = [path.stem for path in (root / 'Annotations').glob('*.xml')]
    if not names:
        raise FileNotFoundError(f"{root / 'Annotations'}: no .xml files; check the root")
    rows = _numbered(names)
    images = {name: read_voc(root / 'Annotations' / f'{name}.xml') for _, _, name in rows}
    classes = sorted({o.name for image in images.values() for o in image.objects})
    labels, index = label_indices(classes, None, root)
    found: list[_Open] = []
    prefix_before = None
    for prefix, number, name in rows:
        truth = voc_truth(images[name], index)
        file = root / 'JPEGImages' / f'{name}.jpg'
        if prefix == prefix_before and found[-1].follows(number, truth, min_iou):
            found[-1].files.append(file)
            found[-1].number = number
        else:
            first, _ = link(Truth(), truth, min_iou, 0)
            found.append(_Open([file], [first], number))
        prefix_before = prefix
    clips = [
        ImageFilesClip(f'clip_{c.files[0].stem}', c.files, PackedTruth.pack(c.truths), fps,
                       sizes=[stated_size(*images[file.stem].size) for file in c.files])
        for c in found if len(c.files) >= min_length
    ]
    return ClipDataset(labels, clips)


def split_clips(
    dataset: ClipDataset, val_share: float = 0.15, gap: int = 30
) -> tuple[ClipDataset, ClipDataset]:
    """
    Split by whole clips where a class has three or more, else its longest clip by time.

    :param val_share: share of a class's clips, or of its longest clip's frames, for val.
    :param gap: frames left out between the two parts of a clip, so that no neighbours straddle;
        at most half of the first part.
    :returns: train and val.
    """
    by_class: dict[int, list[ImageFilesClip]] = {}
    for clip in dataset.clips:
        assert isinstance(clip, ImageFilesClip)
        labels = np.concatenate([clip.truth(k).labels for k in range(len(clip))])
        main = int(np.bincount(labels).argmax()) if len(labels) else -1
        by_class.setdefault(main, []).append(clip)
    train: list[Clip] = []
    val: list[Clip] = []
    for _, clips in sorted(by_class.items()):
        clips = sorted(clips, key=len)
        if len(clips) >= 3:
            count = max(1, round(val_share * len(clips)))
            # From the middle of the lengths: neither snippets nor the one long clip.
            first = (len(clips) - count) // 2
            val += clips[first:first + count]
            train += clips[:first] + clips[first + count:]
            continue
        longest = clips.pop()
        cut = len(longest) - max(1, round(val_share * len(longest)))
        train += [*clips, longest.part(longest.name, range(max(1, cut - min(gap, cut // 2))))]
        val.append(longest.part(f'{longest.name}_end', range(cut, len(longest))))
    return ClipDataset(dataset.labels, train), ClipDataset(dataset.labels, val)
