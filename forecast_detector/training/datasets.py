"""The data sets that are trained on: videos, and still images to mix with them."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.bag_options import BagOptions
from ..data.base import ClipDataset
from ..data.registry import open_dataset, Place, STILLS, VIDEOS

# Still images as clips of pseudo-motion can stand for videos, too.
DATASETS = (*VIDEOS, 'voc', 'coco')
# Many short worlds teach more than few long ones.
SYNTHETIC = 96, 45
# Frames of a clip made of a still image: enough for 10 and one more at stride 3.
STILL_LENGTH = 31


def open_training_set(
    name: str, root: str | None, split: str = 'train', labels: Sequence[str] | None = None,
    bags: BagOptions = BagOptions(),  # noqa: B008 (frozen)
) -> ClipDataset:
    """
    Open data to train on, see :func:`~forecast_detector.data.registry.open_dataset`.

    :param name: one of ``DATASETS`` or ``STILLS``; ``video`` has no truth.
    :param labels: class names to number by; without them the data set's own.
    """
    place = Place(root, split, labels, bags, stills=STILL_LENGTH, world=SYNTHETIC)
    known = (*DATASETS, *STILLS[2:], 'video')
    return open_dataset(name, place, known=known, whose='training')


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
