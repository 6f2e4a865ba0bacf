"""The data sets that can be trained on, by name."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.bag_options import BagOptions
from ..data.base import ClipDataset

DATASETS = ('coco_vid', 'imagenet_vid', 'rosbag', 'voc', 'coco', 'synthetic')
STILLS = ('voc', 'coco', 'imagenet_det')
# Many short worlds teach more than few long ones.
SYNTHETIC_CLIPS = 96
SYNTHETIC_LENGTH = 45
# Frames of a clip made of a still image: enough for 10 and one more at stride 3.
STILL_LENGTH = 31


def open_training_set(
    name: str, root: str | None, split: str = 'train', labels: Sequence[str] | None = None,
    bags: BagOptions = BagOptions(),  # noqa: B008 (frozen)
) -> ClipDataset:
    """
    Open data to train on.

    :param name: one of ``DATASETS``, or ``imagenet_det``; ``voc``, ``coco`` and
        ``imagenet_det`` are still images as clips with pseudo-motion.
    :param root: its folder; the synthetic world needs none. Bags have no split.
    :param labels: class names to number by; without them the data set's own.
    :param bags: for data set ``rosbag``.
    :raises ValueError: for an unknown name, a missing root, foreign classes, or no frames.
    :raises FileNotFoundError: for a list, annotation or folder that is missing.
    """
    if name not in (*DATASETS, *STILLS):
        raise ValueError(f'dataset {name!r} is unknown; known are {(*DATASETS, *STILLS[2:])}')
    dataset = _open(name, root, split, labels, bags)
    if not dataset.clips or not len(dataset):
        raise ValueError(f'{name} {root or ""} {split}: no frames; check --root and --split')
    if labels is not None and tuple(dataset.labels) != tuple(labels):
        raise ValueError(
            f'{name} {root or ""}: its classes {list(dataset.labels)[:5]} … are not those of the '
            f'training, {list(labels)[:5]} …; both must have the same list'
        )
    return dataset


def _open(
    name: str, root: str | None, split: str, labels: Sequence[str] | None, bags: BagOptions
) -> ClipDataset:
    if name == 'synthetic':
        from ..data.synthetic import load_synthetic
        return load_synthetic(split, clips=SYNTHETIC_CLIPS, length=SYNTHETIC_LENGTH)
    if root is None:
        raise ValueError(f'dataset {name} needs --root, the folder that it lies in')
    if name == 'coco_vid':
        from ..data.coco_vid import load_coco_vid
        return load_coco_vid(root, split, labels=labels)
    if name == 'rosbag':
        from ..data.rosbag import load_rosbag
        return load_rosbag(
            root, bags.image_topic, bags.truth_topic, labels, bags.tolerance_ns
        )
    if name in ('imagenet_vid', 'imagenet_det'):
        from ..data import imagenet_vid
        if name == 'imagenet_det':
            return imagenet_vid.load_imagenet_det(root, STILL_LENGTH)
        return imagenet_vid.load_imagenet_vid(root, split, labels=labels)
    from ..data import still
    load = still.load_still_voc if name == 'voc' else still.load_still_coco
    return load(root, split, STILL_LENGTH, labels)


def open_stills(named: str | None, root: str | None, labels: Sequence[str]) -> ClipDataset | None:
    """
    Open still images to mix with videos.

    :param named: ``NAME=ROOT``, or ``NAME=ROOT:SPLIT``.
    :param root: of the videos: ImageNet DET is taken from there if nothing is named.
    :raises ValueError: for another form, and for a split of ImageNet DET, whose lists are of
        training data.
    """
    if named is None:
        return None
    name, equals, place = named.partition('=')
    if name not in STILLS:
        raise ValueError(f'--stills {named!r}: expected NAME=ROOT[:SPLIT], NAME one of {STILLS}')
    folder, _, split = place.partition(':')
    if split and name == 'imagenet_det':
        raise ValueError(
            f'--stills {named!r}: ImageNet DET is read whole, by its training lists; leave out '
            f':{split}'
        )
    folder = folder if equals else (root or '')
    return open_training_set(name, folder, split or 'train', labels)
