"""Any clips to CocoVID files, and any clip to a bag; loading either is the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bags import BagReader, BagWriter
from ..bags.messages import LABEL_INFO
from ..bags.writer import Storage
from ..boxes import xyxy_to_xywh
from ..types import BadFrameError, Detections
from ..writing import write_whole
from .base import Clip, ClipDataset, Truth
from .capture import VideoFaultError
from .folders import folder_name, Folders

# File suffix to the kind that Clip.encoded tells.
KINDS = {'.jpg': 'jpeg', '.png': 'png'}
JPEG_QUALITY = 95
LABEL_INFO_TOPIC = '/label_info'
Content = dict[str, list[dict[str, Any]]]


class EmptyClipError(ValueError):
    """Raised for a clip of which no image can be used."""


OnBad = Callable[[BadFrameError], None]


def once(on_bad: OnBad | None) -> OnBad:
    """
    Pass bad frames on, but a fault of a whole video file only once.

    :param on_bad: called with them; None raises them.
    """
    named: set[Path | None] = set()

    def tell(error: BadFrameError) -> None:
        if on_bad is None:
            raise error
        if not isinstance(error, VideoFaultError) or error.path not in named:
            on_bad(error)
        if isinstance(error, VideoFaultError):
            named.add(error.path)
    return tell


def save_frame(clip: Clip, index: int, path: Path) -> tuple[int, int]:
    """
    Write a frame; an image file of the same kind is copied as it is.

    :returns: (width, height) in pixels.
    """
    image: NDArray[np.uint8] = clip.read(index)
    size = (image.shape[1], image.shape[0])
    encoded = clip.encoded(index)
    if encoded is not None and encoded[0] == KINDS[path.suffix]:
        path.write_bytes(encoded[1])
        return size
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise OSError(f'{path}: cannot be written; is the disk full?')
    return size


def _rows(truth: Truth, image_id: int, video_id: int) -> Iterator[dict[str, Any]]:
    crowds = Truth(truth.crowd_boxes, truth.crowd_labels, np.full(len(truth.crowd_labels), -1))
    for part, crowd in ((truth, 0), (crowds, 1)):
        boxes = np.round(xyxy_to_xywh(part.boxes.astype(float)), 3).tolist()
        for box, label, track in zip(boxes, part.labels.tolist(), part.tracks.tolist()):
            row = {'image_id': image_id, 'video_id': video_id, 'category_id': label + 1,
                   'bbox': box, 'area': round(box[2] * box[3], 3), 'iscrowd': crowd}
            yield row if track < 0 else {**row, 'instance_id': track}


def annotation_file(root: Path, split: str) -> Path:
    """Name the file that :func:`write_coco_vid` writes."""
    return root / 'annotations' / f'{split}.json'


def write_coco_vid(
    dataset: ClipDataset, root: str | Path, split: str, suffix: str = '.jpg',
    on_bad: OnBad | None = None, on_empty: Callable[[Clip], None] = lambda clip: None,
) -> tuple[Path, int, int]:
    """
    Write clips as CocoVID: ``root/annotations/SPLIT.json`` and a folder of images a clip.

    Ids count from 1; the category of label k is k + 1. Boxes are kept to a thousandth of a
    pixel. Images carry their ``stamp_ns``, and ``"annotated": false`` where nobody annotated.
    After an error no folder is left that was not there before.

    :param suffix: ``.jpg`` or ``.png``; frames that are such files already are copied.
    :param on_bad: called with each frame that cannot be used, which is then left out, as is a clip
        that has no other; of a video file that ends early once. Without it the first such frame
        raises.
    :param on_empty: called with each clip that is left out.
    :returns: the annotation file, and how many clips and images it has.
    :raises FileExistsError: if the annotation file is there already.
    :raises ValueError: for another suffix, or if no image can be used.
    """
    root = Path(root)
    target = annotation_file(root, split)
    if suffix not in KINDS:
        raise ValueError(f'suffix: {suffix!r} is none of {sorted(KINDS)}')
    if target.exists():
        raise FileExistsError(f'{target} exists; remove it, or choose another root or split')
    content: Content = {
        'categories': [{'id': k + 1, 'name': name} for k, name in enumerate(dataset.labels)],
        'videos': [], 'images': [], 'annotations': [],
    }
    with Folders() as folders:
        for video_id, clip in enumerate(dataset.clips, 1):
            folder = root / split / f'{video_id:05d}_{folder_name(clip)}'
            folders.make(folder)
            if not _add_clip(content, clip, video_id, folder, suffix, once(on_bad)):
                with suppress(OSError):  # not empty: of an earlier attempt
                    folder.rmdir()
                on_empty(clip)
        if not content['videos']:
            raise ValueError(f'{target} is not written: there is no image that can be used')
        folders.make(target.parent)
        write_whole(target, json.dumps(content))
    return target, len(content['videos']), len(content['images'])


def _add_clip(
    content: Content, clip: Clip, video_id: int, folder: Path, suffix: str, on_bad: OnBad
) -> bool:
    """
    Write a clip's images and take down what is to be said of them.

    :returns: whether there is an image that can be used.
    """
    images, rows, before = content['images'], content['annotations'], len(content['images'])
    for k in range(len(clip)):
        file, truth = folder / f'{k:06d}{suffix}', clip.truth(k)
        try:
            width, height = save_frame(clip, k, file)
        except BadFrameError as error:
            on_bad(error)
            continue
        image = {'id': len(images) + 1, 'video_id': video_id, 'frame_id': k,
                 'file_name': f'{folder.name}/{file.name}', 'height': height, 'width': width,
                 'stamp_ns': clip.stamp_ns(k)}
        images.append(image if truth.annotated else {**image, 'annotated': False})
        rows += [{'id': len(rows) + number, **row}
                 for number, row in enumerate(_rows(truth, len(images), video_id), 1)]
    if len(images) > before:
        content['videos'].append(
            {'id': video_id, 'name': clip.name, 'fps': clip.fps, 'length': len(clip)})
    return len(images) > before


def clip_to_bag(
    clip: Clip, labels: tuple[str, ...], path: str | Path, image_topic: str = '/camera/image_raw',
    truth_topic: str = '/camera/truth', jpeg_quality: int | None = None,
    storage: Storage = 'mcap', frame_id: str = 'camera', start_ns: int = 0,
    on_bad: OnBad | None = None,
) -> int:
    """
    Write a clip and its truth as a bag, and the class names as latched ``/label_info``.

    Every annotated image gets a truth message, even an empty one; others get none. After an
    error nothing is left at ``path``.

    :param labels: class names of the clip's data set.
    :param jpeg_quality: compress the images (name the topic ``…/compressed`` then); those that
        are JPEG or PNG files already are taken as they are. None is raw.
    :param start_ns: added to the clip's stamps.
    :param on_bad: as for :func:`write_coco_vid`.
    :returns: number of crowd regions, which a ``Detection2DArray`` has no form for; left out.
    :raises FileExistsError: if there is something at ``path``.
    :raises EmptyClipError: if no image can be used.
    """
    crowds = images = 0
    times_ns = _times(clip)
    tell = once(on_bad)
    with Folders() as folders:
        folders.expect(Path(path))
        with BagWriter(path, storage) as bag:
            bag.label_info(LABEL_INFO_TOPIC, labels, 0.0, 0, log_ns=start_ns + times_ns[0])
            for k in range(len(clip)):
                stamp_ns, truth = start_ns + clip.stamp_ns(k), clip.truth(k)
                log_ns = start_ns + times_ns[k]
                try:
                    write_image(bag, clip, k, image_topic, stamp_ns, frame_id, jpeg_quality,
                                 log_ns)
                except BadFrameError as error:
                    tell(error)
                    continue
                images += 1
                crowds += len(truth.crowd_labels)
                if truth.annotated:
                    objects = Detections(truth.boxes, np.ones(len(truth), np.float32),
                                         truth.labels)
                    bag.detections(truth_topic, objects, labels, stamp_ns, frame_id,
                                   tracks=truth.tracks.tolist(), log_ns=log_ns)
        if not images:
            raise EmptyClipError(f'{clip.source}: none of its images can be used')
    return crowds


def write_image(
    bag: BagWriter, clip: Clip, index: int, topic: str, stamp_ns: int, frame_id: str,
    jpeg_quality: int | None, log_ns: int,
) -> None:
    """Write an image, as the file that it is where that costs no quality."""
    image = clip.read(index)  # a file that is copied has to be whole, too
    encoded = clip.encoded(index) if jpeg_quality is not None else None
    if encoded is not None:
        kind, data = encoded
        bag.compressed(topic, data, kind, stamp_ns, frame_id, log_ns)
    else:
        bag.image(topic, image, stamp_ns, frame_id, jpeg_quality, log_ns)


def _times(clip: Clip) -> list[int]:
    """Give times of recording that rise: the stamps, or else by the number of the frame."""
    stamps = [clip.stamp_ns(k) for k in range(len(clip))]
    if all(a < b for a, b in zip(stamps, stamps[1:])):
        return stamps
    return [round(k * 1e9 / clip.fps) for k in range(len(clip))]


def read_labels(path: Path) -> tuple[str, ...] | None:
    """
    Read the class names of a bag that :func:`clip_to_bag` wrote, by index; None of another.

    :raises BagError: if it cannot be read.
    """
    with BagReader(path) as bag:
        if bag.topics.get(LABEL_INFO_TOPIC) != LABEL_INFO:
            return None
        for _, message in bag.messages(LABEL_INFO_TOPIC, on_broken=lambda *_: None):
            return tuple(entry.class_name for entry in message.class_map)
    return None
