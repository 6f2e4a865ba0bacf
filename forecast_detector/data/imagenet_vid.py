"""ImageNet VID and DET in their official layout, by the lists that the field trains on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..types import BadFrameError
from .base import Clip, ClipDataset, Truth
from .frames import PackedTruth
from .image_files import read_image, Size
from .inside import inside
from .still import StillClip, voc_size
from .text import read_text
from .voc_xml import read_voc

WNIDS = {
    'n02691156': 'airplane', 'n02419796': 'antelope', 'n02131653': 'bear',
    'n02834778': 'bicycle', 'n01503061': 'bird', 'n02924116': 'bus', 'n02958343': 'car',
    'n02402425': 'cattle', 'n02084071': 'dog', 'n02121808': 'domestic_cat',
    'n02503517': 'elephant', 'n02118333': 'fox', 'n02510455': 'giant_panda',
    'n02342885': 'hamster', 'n02374451': 'horse', 'n02129165': 'lion', 'n01674464': 'lizard',
    'n02484322': 'monkey', 'n03790512': 'motorcycle', 'n02324045': 'rabbit',
    'n02509815': 'red_panda', 'n02411705': 'sheep', 'n01726692': 'snake',
    'n02355227': 'squirrel', 'n02129604': 'tiger', 'n04468005': 'train', 'n01662784': 'turtle',
    'n04530566': 'watercraft', 'n02062744': 'whale', 'n02391049': 'zebra',
}
LABELS = tuple(WNIDS.values())
_INDEX = {wnid: k for k, wnid in enumerate(WNIDS)}
LISTS = {'train': 'VID_train_15frames.txt', 'val': 'VID_val_videos.txt'}
DET_LIST = 'DET_train_30classes.txt'


def read_truth(path: Path, strict: bool = True) -> Truth:
    """
    Read the boxes of the 30 classes as they stand in the file.

    :param strict: another class is an error, as it should be in VID; DET has 200, of which the
        others are left out.
    :raises ValueError: for another class, if ``strict``; names the file.
    """
    objects = [o for o in read_voc(path).objects if strict or o.name in _INDEX]
    foreign = sorted({o.name for o in objects if o.name not in _INDEX})
    if foreign:
        raise ValueError(
            f'{path}: classes {foreign} are none of the 30 of ImageNet VID; correct the annotation'
        )
    return Truth(
        np.array([o.box for o in objects], np.float32).reshape(-1, 4),
        np.array([_INDEX[o.name] for o in objects], np.int64),
        np.array([o.track for o in objects], np.int64),
    )


class ImageNetVidClip(Clip):
    """One snippet. Its annotations are read when first asked for, then kept."""

    def __init__(
        self, root: Path, snippet: str, length: int, first_image_id: int = 0
    ) -> None:
        """
        Name a snippet.

        :param snippet: path below ``Data/VID``.
        :param length: frames of the snippet.
        :param first_image_id: id of its first frame.
        """
        self.name, self._root, self._length = snippet, root, length
        self._first_image_id = first_image_id
        self._truth: PackedTruth | None = None

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._length

    def _file(self, kind: str, index: int, suffix: str) -> Path:
        return self._root / kind / 'VID' / self.name / f'{index:06d}{suffix}'

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame."""
        if not 0 <= index < len(self):
            raise BadFrameError(f'{self.name}: frame {index} asked for; there are {len(self)}')
        return read_image(
            self._file('Data', index, '.JPEG'), self._size(index), size_binds=False)

    def _size(self, index: int) -> Size | None:
        with suppress(ValueError, OSError):  # truth() says what is wrong with an annotation
            return voc_size(self._file('Annotations', index, '.xml'))
        return None

    def truth(self, index: int) -> Truth:
        """Return a frame's objects, boxes as they stand in the file."""
        if self._truth is None:
            self._truth = PackedTruth.pack(
                read_truth(self._file('Annotations', k, '.xml')) for k in range(len(self))
            )
        return self._truth[index]

    def image_id(self, index: int) -> int:
        """Return the global id of the frame in the list."""
        return self._first_image_id + index


def _read_list(path: Path, columns: int) -> list[list[str]]:
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such list; the lists of the field belong into ROOT/ImageSets'
        )
    rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
    for number, row in enumerate(rows):
        if len(row) != columns or not all(field.isdigit() for field in row[1:]):
            raise ValueError(
                f'{path}: entry {number + 1} is {" ".join(row)!r}; expected a path and '
                f'{columns - 1} numbers'
            )
    return rows


def _check_labels(labels: Sequence[str] | None) -> None:
    if labels is not None and tuple(labels) != LABELS:
        raise ValueError(
            f'the weights know {list(labels)[:5]}…; ImageNet VID has its own 30 classes '
            f'({", ".join(LABELS[:5])}, …) in this order: use weights trained for it'
        )


def load_imagenet_vid(
    root: str | Path, split: str, labels: Sequence[str] | None = None,
    needs_images: bool = True,
) -> ClipDataset:
    """
    Load the snippets of a split, each once.

    :param root: the folder with ``Data/VID``, ``Annotations/VID`` and ``ImageSets``.
    :param split: ``train`` (VID_train_15frames.txt) or ``val`` (VID_val_videos.txt).
    :param labels: the weights' class names; must be the 30 classes in their usual order.
    :param needs_images: whether the frames have to be there; False where only the truth is
        looked at.
    :raises FileNotFoundError: if a list or a snippet's folder is missing.
    :raises ValueError: for an unknown split, a broken list, or foreign labels.
    """
    if split not in LISTS:
        raise ValueError(f'split {split!r}: expected one of {sorted(LISTS)}')
    _check_labels(labels)
    root = Path(root)
    snippets: dict[str, tuple[int, int]] = {}
    next_id = 0
    for name, first, _, length in _read_list(root / 'ImageSets' / LISTS[split], 4):
        if not name.startswith(f'{split}/'):
            name = f'{split}/{name}'
        if name not in snippets:
            # The train list has one line a sampled frame and no ids; its snippets are counted on.
            snippets[name] = (int(first) if split == 'val' else next_id, int(length))
            next_id += int(length)
    for name in snippets:
        inside(root / 'Data' / 'VID', name, root / 'ImageSets' / LISTS[split])
    for name in snippets if needs_images else ():
        if not (root / 'Data' / 'VID' / name).is_dir():
            raise FileNotFoundError(
                f"{root / 'Data' / 'VID' / name}: no such snippet; {LISTS[split]} names it: "
                f'unpack the data there'
            )
    return ClipDataset(LABELS, [
        ImageNetVidClip(root, name, length, first)
        for name, (first, length) in snippets.items()
    ])


def load_imagenet_det(root: str | Path, length: int = 11) -> ClipDataset:
    """
    Load the still images of DET_train_30classes.txt as clips with pseudo-motion.

    :param length: frames of each clip.
    :raises FileNotFoundError: if the list is missing.
    """
    root = Path(root)
    clips = []
    for number, (name, _) in enumerate(_read_list(root / 'ImageSets' / DET_LIST, 2)):
        clips.append(StillClip(
            inside(root / 'Data' / 'DET', f'{name}.JPEG', root / 'ImageSets' / DET_LIST), length,
            name=name, seed=number,
            truth=partial(read_truth, root / 'Annotations' / 'DET' / f'{name}.xml', strict=False),
            size=partial(voc_size, root / 'Annotations' / 'DET' / f'{name}.xml'),
            size_binds=False, image_id=number,
        ))
    return ClipDataset(LABELS, clips)
