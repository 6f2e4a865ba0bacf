"""Still images as clips: a view that glides and zooms smoothly over the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import area
from ..types import BadFrameError
from .base import Clip, ClipDataset, Truth
from .coco_fields import value_of
from .coco_json import by_id, ImageTruths, number_categories, read_annotations
from .frames import clip_boxes
from .image_files import read_image, Size, stated_size
from .inside import inside
from .labels import label_indices
from .text import read_text
from .voc_xml import read_voc, VocImage

# A clip is read frame after frame; a few pictures suffice, and a large set must not stay decoded.
_picture = lru_cache(maxsize=8)(read_image)


class StillClip(Clip):
    """
    A clip from one picture.

    The view is a window of the picture with its aspect, 0.65 to 1 times its sides, that moves
    from one place and size to another, faster in the middle. It never leaves the picture, and
    boxes stay exact, which a rotation would not allow. An object of which less than
    ``min_visible`` is in the window is not in the truth.
    """

    def __init__(
        self, path: Path, length: int, truth: Truth | Callable[[], Truth], name: str = '',
        seed: int = 0, image_id: int = 0, min_visible: float = 0.4,
        size: Size | Callable[[], Size | None] | None = None, size_binds: bool = True,
    ) -> None:
        """
        Take a picture.

        :param truth: its objects, or what reads them when they are first needed.
        :param seed: settles the motion.
        :param image_id: of the picture; its frames have ``image_id * length`` and on.
        :param size: (width, height) that the annotations state, or what reads them.
        :param size_binds: see :func:`~.image_files.read_image`.
        """
        if length < 1:
            raise ValueError(f'length: {length} is below 1')
        self.name, self._path, self._length = name or path.stem, path, length
        self._source, self._image_id, self._min_visible = truth, image_id, min_visible
        self._size, self._size_binds = size, size_binds
        rng = np.random.default_rng([seed, 7])
        share = rng.uniform(0.65, 1.0, 2)
        # (left, top, side) of the first and of the last window, as shares of the picture.
        self._ends = np.stack([np.append(rng.uniform(0, 1 - s, 2), s) for s in share])

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._length

    def _window(self, index: int) -> tuple[float, float, float]:
        if not 0 <= index < self._length:
            raise BadFrameError(f'{self.name}: frame {index} asked for; there are {self._length}')
        t = index / max(1, self._length - 1)
        t = t * t * (3 - 2 * t)
        left, top, share = (1 - t) * self._ends[0] + t * self._ends[1]
        return float(left), float(top), float(share)

    def _picture(self) -> NDArray[np.uint8]:
        if callable(self._size):
            self._size = self._size()
        return _picture(self._path, self._size, self._size_binds)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Cut out a frame and scale it to the picture's size."""
        left, top, share = self._window(index)
        picture = self._picture()
        height, width = picture.shape[:2]
        # Edges of pixels, not their middles, map to edges: hence the halves.
        matrix = np.array([
            [1 / share, 0, (0.5 - left * width) / share - 0.5],
            [0, 1 / share, (0.5 - top * height) / share - 0.5],
        ])
        return np.asarray(cv2.warpAffine(
            picture, matrix, (width, height), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ), np.uint8)

    def truth(self, index: int) -> Truth:
        """Move the picture's boxes with the window; tracks count its objects."""
        left, top, share = self._window(index)
        if not isinstance(self._source, Truth):
            self._source = self._source()
        source = self._source
        height, width = self._picture().shape[:2]
        shift = np.array([left * width, top * height] * 2, np.float32)
        full = (source.boxes - shift) / np.float32(share)
        boxes, keep = clip_boxes(full.astype(np.float32), (width, height))
        keep &= area(boxes) >= self._min_visible * area(full)
        return Truth(
            boxes[keep], source.labels[keep], np.arange(len(source))[keep], source.annotated
        )

    def image_id(self, index: int) -> int:
        """Count the frames of all pictures."""
        return self._image_id * self._length + index


def load_still_coco(
    root: str | Path, split: str, length: int = 11, labels: Sequence[str] | None = None
) -> ClipDataset:
    """
    Load a COCO detection set: ``annotations/instances_SPLIT.json`` (or SPLIT.json), ``SPLIT/``.

    Crowds are left out.

    :param length: frames of each clip.
    :raises FileNotFoundError: if the JSON is missing.
    :raises ValueError: if it is not COCO, or has classes foreign to ``labels``.
    """
    root = Path(root)
    path = root / 'annotations' / f'instances_{split}.json'
    if not path.is_file():
        path = root / 'annotations' / f'{split}.json'
    content = read_annotations(path, ('categories', 'images', 'annotations'))
    in_force, label_of = number_categories(content, path, labels)
    truths = ImageTruths(content, path, label_of)
    return ClipDataset(in_force, [
        StillClip(inside(root / split, name, path), length, truths.of(image), name, number, number,
                  size=stated_size(image.get('width'), image.get('height')))
        for number, (image, name) in enumerate(
            (image, value_of(image, 'file_name', 'image', path))
            for image in by_id(content['images'], 'image', path).values()
        )
    ])


def voc_truth(image: VocImage, index: dict[str, int]) -> Truth:
    """Turn a VOC annotation (pixels counted from 1) into a truth without difficult objects."""
    objects = [o for o in image.objects if not o.difficult]
    boxes = np.array([o.box for o in objects], np.float32).reshape(-1, 4)
    return Truth(
        boxes - np.array([1, 1, 0, 0], np.float32),
        np.array([index[o.name] for o in objects], np.int64),
        np.array([o.track for o in objects], np.int64),
    )


def voc_size(path: Path) -> Size | None:
    """Read the size of the picture from its VOC annotation, where it says."""
    return stated_size(*read_voc(path).size)


def _read_voc_truth(path: Path, index: dict[str, int]) -> Truth:
    return voc_truth(read_voc(path), index)


def load_still_voc(
    root: str | Path, split: str, length: int = 11, labels: Sequence[str] | None = None
) -> ClipDataset:
    """
    Load a Pascal VOC set: ``ImageSets/Main/SPLIT.txt``, ``JPEGImages``, ``Annotations``.

    :param length: frames of each clip.
    :raises FileNotFoundError: if the list or an annotation is missing.
    :raises ValueError: for a broken annotation, or classes foreign to ``labels``.
    """
    root = Path(root)
    listing = root / 'ImageSets' / 'Main' / f'{split}.txt'
    if not listing.is_file():
        raise FileNotFoundError(f'{listing}: no such list of images; check root and split')
    names = [line.split()[0] for line in read_text(listing).splitlines() if line.strip()]
    files = {name: inside(root / 'Annotations', f'{name}.xml', listing) for name in names}
    classes = sorted({o.name for file in files.values() for o in read_voc(file).objects})
    in_force, index = label_indices(classes, labels, listing)
    return ClipDataset(in_force, [
        StillClip(root / 'JPEGImages' / f'{name}.jpg', length,
                  partial(_read_voc_truth, files[name], index), name, k, k,
                  size=partial(voc_size, files[name]), size_binds=False)
        for k, name in enumerate(names)
    ])
