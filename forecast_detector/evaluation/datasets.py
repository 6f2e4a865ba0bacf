"""The data sets that can be measured on, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.bag_options import BagOptions
from ..data.base import Clip, ClipDataset, Truth
from ..types import Frame
from .names import DATASETS


class StridedClip(Clip):
    """Every ``stride``-th frame of a clip, from its first."""

    def __init__(self, clip: Clip, stride: int) -> None:
        self.clip, self.stride = clip, stride
        self.name, self.fps = clip.name, clip.fps / stride

    @property
    def source(self) -> str:
        """Say where the whole clip comes from."""
        return self.clip.source

    @property
    def lacks(self) -> str | None:
        """Say what the recording lacks."""
        return self.clip.lacks

    def __len__(self) -> int:
        """Return the number of frames."""
        return -(-len(self.clip) // self.stride)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode a frame."""
        return self.clip.read(index * self.stride)

    def truth(self, index: int) -> Truth:
        """Return a frame's annotated objects."""
        return self.clip.truth(index * self.stride)

    def image_id(self, index: int) -> int:
        """Return the id of the frame in the whole clip."""
        return self.clip.image_id(index * self.stride)

    def stamp_ns(self, index: int) -> int:
        """Return the time of the frame in the whole clip."""
        return self.clip.stamp_ns(index * self.stride)

    def frame(self, index: int) -> Frame:
        """Return the frame as the whole clip has it, with its own header."""
        return self.clip.frame(index * self.stride)

    def release(self) -> None:
        """Let go of the files of the whole clip."""
        self.clip.release()


def open_dataset(
    name: str, root: str | None, split: str, stride: int, labels: Sequence[str] | None,
    bags: BagOptions = BagOptions(),  # noqa: B008 (frozen)
    on_bad: Callable[[Path, Exception], None] | None = None, needs_images: bool = True,
) -> ClipDataset:
    """
    Open a split for measuring.

    :param root: its folder; the synthetic world needs none. Bags have no split.
    :param stride: every so many frames of each clip.
    :param labels: the weights' class names, None to number classes as the data set does.
    :param bags: for data set ``rosbag``.
    :param on_bad: told of each bag that cannot be used, which is then left out; without it the
        first one raises.
    :param needs_images: whether image and video files have to be there; False for scoring.
    :raises ValueError: for an unknown name, a missing root, or labels that do not fit.
    """
    if name not in DATASETS:
        raise ValueError(f'dataset {name!r} is unknown; known are {DATASETS}')
    check_stride(stride)
    if name == 'rosbag':
        dataset = _load_bags(needed_root(name, root), stride, labels, bags, on_bad)
    else:
        dataset = _load(name, root, split, stride, labels, needs_images)
    if labels is not None and tuple(labels) != tuple(dataset.labels):
        raise ValueError(
            f'the classes of the weights, {_some(labels)}, and of {name}, '
            f'{_some(dataset.labels)}, differ; use weights trained for these classes'
        )
    if not len(dataset):
        raise ValueError(f'{name} {root or ""} {split}: no frames; check --root and --split')
    return dataset


def check_stride(stride: int) -> None:
    """
    See that a stride can be taken.

    :raises ValueError: if it is below 1.
    """
    if stride < 1:
        raise ValueError(f'stride: {stride} is below 1; 1 takes every frame')


def needed_root(name: str, root: str | None) -> str:
    """
    Give the root of a data set that cannot do without.

    :raises ValueError: if there is none.
    """
    if root is None:
        raise ValueError(f'dataset {name} needs --root, the folder that it lies in')
    return root


def _load(
    name: str, root: str | None, split: str, stride: int, labels: Sequence[str] | None,
    needs_images: bool = True,
) -> ClipDataset:
    if name == 'synthetic':
        from ..data.synthetic import load_synthetic
        return _strided(load_synthetic(split), stride)
    root = needed_root(name, root)
    if name == 'imagenet_vid':
        from ..data.imagenet_vid import load_imagenet_vid
        return load_imagenet_vid(root, split, stride, labels, needs_images)
    from ..data.coco_vid import load_coco_vid
    return load_coco_vid(root, split, stride, labels, needs_images)


def _load_bags(
    root: str, stride: int, labels: Sequence[str] | None, bags: BagOptions,
    on_bad: Callable[[Path, Exception], None] | None,
) -> ClipDataset:
    from ..data.rosbag import load_rosbag
    return _strided(load_rosbag(
        root, bags.image_topic, bags.truth_topic, labels, bags.tolerance_ns, on_bad
    ), stride)


def _strided(dataset: ClipDataset, stride: int) -> ClipDataset:
    return ClipDataset(dataset.labels, [strided(clip, stride) for clip in dataset.clips])


def strided(clip: Clip, stride: int) -> Clip:
    """Take every ``stride``-th frame."""
    return clip if stride == 1 else StridedClip(clip, stride)


def _some(labels: Sequence[str]) -> str:
    return ', '.join(labels[:5]) + (' …' if len(labels) > 5 else '')


def category_ids(dataset: ClipDataset) -> Mapping[int, int | str]:
    """Label to category id of the data set's own file, or else label + 1."""
    ids: Mapping[int, int | str] | None = getattr(dataset, 'category_ids', None)
    return ids or {label: label + 1 for label in range(len(dataset.labels))}
