"""The data sets that can be opened by name, to be measured on, trained on or converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .bag_options import BagOptions
from .base import ClipDataset
from .views import strided


@dataclass(frozen=True)
class Place:
    """
    Where a data set lies, and what of it is wanted.

    :ivar root: its folder; None for what is drawn. ``split``: bags have none.
    :ivar labels: class names to number by; None numbers as the data set does.
    :ivar bags: what of a bag is wanted.
    :ivar on_bad: called with each bag that cannot be used, which is then left out; without it
        the first one raises.
    :ivar needs_images: whether image and video files have to be there; False for scoring.
    :ivar stills: frames of a clip made of a still image.
    :ivar world: clips, and frames a clip, of the synthetic world; None is its own size.
    :ivar fps: of Pascal VOC images that are video; ``min_length``: shorter clips are left out.
    :ivar passes_foreign: whether annotations of classes that are not in ``labels`` are passed
        over; otherwise they are an error.
    """

    root: str | None = None
    split: str = 'val'
    labels: Sequence[str] | None = None
    bags: BagOptions = BagOptions()
    on_bad: Callable[[Path, Exception], None] | None = None
    needs_images: bool = True
    stills: int = 11
    world: tuple[int, int] | None = None
    fps: float = 30.0
    min_length: int = 10
    passes_foreign: bool = False

    @property
    def folder(self) -> str:
        """The root, of a data set that cannot do without."""
        assert self.root is not None
        return self.root


def _synthetic(place: Place) -> ClipDataset:
    from .synthetic import load_synthetic
    if place.world is None:
        return load_synthetic(place.split)
    clips, length = place.world
    return load_synthetic(place.split, clips=clips, length=length)


def _coco_vid(place: Place) -> ClipDataset:
    from .coco_vid import load_coco_vid
    return load_coco_vid(
        place.folder, place.split, labels=place.labels, needs_images=place.needs_images
    )


def _imagenet_vid(place: Place) -> ClipDataset:
    from .imagenet_vid import load_imagenet_vid
    return load_imagenet_vid(
        place.folder, place.split, labels=place.labels, needs_images=place.needs_images
    )


def _imagenet_det(place: Place) -> ClipDataset:
    from .imagenet_vid import load_imagenet_det
    return load_imagenet_det(place.folder, place.stills)


def _rosbag(place: Place) -> ClipDataset:
    from .rosbag import load_rosbag
    bags = place.bags
    return load_rosbag(
        place.folder, bags.image_topic, bags.truth_topic, place.labels, bags.tolerance_ns,
        place.on_bad,
    )


def _voc_video(place: Place) -> ClipDataset:
    from .voc_video import load_voc_video
    return load_voc_video(place.folder, place.min_length, fps=place.fps)


def _video(place: Place) -> ClipDataset:
    from .plain import load_plain
    return load_plain(place.folder, place.labels, place.on_bad)


def _voc(place: Place) -> ClipDataset:
    from .still import load_still_voc
    return load_still_voc(place.folder, place.split, place.stills, place.labels)


def _coco(place: Place) -> ClipDataset:
    from .still import load_still_coco
    return load_still_coco(place.folder, place.split, place.stills, place.labels)


KINDS: Mapping[str, Callable[[Place], ClipDataset]] = {
    'coco_vid': _coco_vid, 'imagenet_vid': _imagenet_vid, 'rosbag': _rosbag,
    'synthetic': _synthetic, 'voc': _voc, 'coco': _coco, 'imagenet_det': _imagenet_det,
    'voc_video': _voc_video, 'video': _video,
}
# Video with a truth; the others are still images, or have to be put together first.
VIDEOS = ('coco_vid', 'imagenet_vid', 'rosbag', 'synthetic')
# What can be measured on; ``video`` has no truth.
MEASURED = (*VIDEOS, 'video')
# What comes as files of which some may be broken: those are left out, the rest is used.
RECORDINGS = ('rosbag', 'video')
STILLS = ('voc', 'coco', 'imagenet_det')


def open_dataset(
    name: str, place: Place, stride: int = 1, known: Sequence[str] = tuple(KINDS),
    whose: str = 'weights',
) -> ClipDataset:
    """
    Open a data set.

    :param stride: every so many frames of each clip.
    :param known: names that can be asked for.
    :param whose: whose classes ``place.labels`` are, for messages.
    :raises ValueError: for an unknown name, a missing root, labels that do not fit, no frames.
    :raises FileNotFoundError: for a list, annotation or folder that is missing.
    """
    if name not in known:
        raise ValueError(f'dataset {name!r} is unknown; known are {tuple(known)}')
    if place.root is None and name != 'synthetic':
        raise ValueError(f'dataset {name} needs --root, the folder that it lies in')
    labels = place.labels
    if place.passes_foreign and labels is not None and name != 'video':
        from .relabelled import relabelled
        dataset = relabelled(KINDS[name](replace(place, labels=None)), labels)
    else:
        dataset = KINDS[name](place)
    if labels is not None and tuple(labels) != tuple(dataset.labels):
        raise ValueError(
            f'the classes of {name} {place.root or ""}, {_some(dataset.labels)}, are not those '
            f'of the {whose}, {_some(labels)}; both must have the same list'
        )
    if not len(dataset):
        raise ValueError(
            f'{name} {place.root or ""} {place.split}: no frames; check --root and --split')
    return thinned(dataset, stride)


def thinned(dataset: ClipDataset, stride: int) -> ClipDataset:
    """Take every ``stride``-th frame of each clip."""
    return replace(dataset, clips=[strided(clip, stride) for clip in dataset.clips])


def _some(labels: Sequence[str]) -> str:
    return ', '.join(labels[:5]) + (' …' if len(labels) > 5 else '')


def category_ids(dataset: ClipDataset) -> Mapping[int, int | str]:
    """Label to category id of the data set's own file, or else label + 1."""
    ids: Mapping[int, int | str] | None = getattr(dataset, 'category_ids', None)
    return ids or {label: label + 1 for label in range(len(dataset.labels))}
