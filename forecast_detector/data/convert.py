"""Any clips to CocoVID files, and any clip to a bag; loading either is the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
import json
from pathlib import Path
import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bags import BagReader, BagWriter
from ..bags.messages import LABEL_INFO
from ..bags.writer import Storage
from ..boxes import xyxy_to_xywh
from ..types import BadFrameError, Detections
from .base import Clip, ClipDataset, Truth

# File suffix to the kind that Clip.encoded tells.
KINDS = {'.jpg': 'jpeg', '.png': 'png'}
JPEG_QUALITY = 95
LABEL_INFO_TOPIC = '/label_info'


def folder_name(clip: Clip) -> str:
    """Make a name for a file or folder of a clip's name."""
    return re.sub(r'[^\w.-]+', '_', clip.name).strip('_') or 'clip'


def _save(clip: Clip, index: int, path: Path) -> tuple[int, int]:
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


def write_coco_vid(
    dataset: ClipDataset, root: str | Path, split: str, suffix: str = '.jpg',
    on_bad: Callable[[BadFrameError], None] | None = None,
    on_empty: Callable[[Clip], None] = lambda clip: None,
) -> tuple[Path, int, int]:
    """
    Write clips as CocoVID: ``root/annotations/SPLIT.json`` and a folder of images a clip.

    Ids count from 1; the category of label k is k + 1. Boxes are kept to a thousandth of a
    pixel. Images carry their ``stamp_ns``, and ``"annotated": false`` where nobody looked.

    :param suffix: ``.jpg`` or ``.png``; frames that are such files already are copied.
    :param on_bad: told of each frame that cannot be used, which is then left out, as is a clip
        that has no other; without it the first such frame raises.
    :param on_empty: told of each clip that is left out.
    :returns: the annotation file, and how many clips and images it has.
    :raises FileExistsError: if the annotation file is there already.
    :raises ValueError: for another suffix, or if no image can be used.
    """
    root = Path(root)
    target = root / 'annotations' / f'{split}.json'
    if suffix not in KINDS:
        raise ValueError(f'suffix: {suffix!r} is none of {sorted(KINDS)}')
    if target.exists():
        raise FileExistsError(f'{target} exists; remove it, or choose another root or split')
    videos: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for video_id, clip in enumerate(dataset.clips, 1):
        folder = f'{video_id:05d}_{folder_name(clip)}'
        (root / split / folder).mkdir(parents=True, exist_ok=True)
        before = len(images)
        for k in range(len(clip)):
            name, truth = f'{folder}/{k:06d}{suffix}', clip.truth(k)
            try:
                width, height = _save(clip, k, root / split / name)
            except BadFrameError as error:
                if on_bad is None:
                    raise
                on_bad(error)
                continue
            image = {'id': len(images) + 1, 'video_id': video_id, 'frame_id': k,
                     'file_name': name, 'height': height, 'width': width,
                     'stamp_ns': clip.stamp_ns(k)}
            images.append(image if truth.annotated else {**image, 'annotated': False})
            rows += _rows(truth, len(images), video_id)
        if len(images) == before:
            with suppress(OSError):  # not empty: of an earlier attempt
                (root / split / folder).rmdir()
            on_empty(clip)
            continue
        videos.append({'id': video_id, 'name': clip.name, 'fps': clip.fps, 'length': len(clip)})
    if not videos:
        raise ValueError(f'{target} is not written: there is no image that can be used')
    content = {
        'categories': [{'id': k + 1, 'name': name} for k, name in enumerate(dataset.labels)],
        'videos': videos, 'images': images,
        'annotations': [{'id': k + 1, **row} for k, row in enumerate(rows)],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written whole or not at all: a reader never sees half a file.
    draft = target.with_suffix('.json.part')
    draft.write_text(json.dumps(content))
    draft.replace(target)
    return target, len(videos), len(images)


def clip_to_bag(
    clip: Clip, labels: tuple[str, ...], path: str | Path, image_topic: str = '/camera/image_raw',
    truth_topic: str = '/camera/truth', jpeg_quality: int | None = None,
    storage: Storage = 'mcap', frame_id: str = 'camera', start_ns: int = 0,
    on_bad: Callable[[BadFrameError], None] | None = None,
) -> int:
    """
    Write a clip and its truth as a bag, and the class names as latched ``/label_info``.

    Every annotated image gets a truth message, even an empty one; others get none.

    :param labels: class names of the clip's data set.
    :param jpeg_quality: compress the images (name the topic ``…/compressed`` then); those that
        are JPEG or PNG files already are taken as they are. None is raw.
    :param start_ns: added to the clip's stamps.
    :param on_bad: told of each frame that cannot be used, which is then left out; without it
        the first such frame raises.
    :returns: number of crowd regions, which a ``Detection2DArray`` has no form for; left out.
    :raises FileExistsError: if there is something at ``path``.
    """
    crowds, times_ns = 0, _times(clip)
    with BagWriter(path, storage) as bag:
        bag.label_info(LABEL_INFO_TOPIC, labels, 0.0, 0, log_ns=start_ns + times_ns[0])
        for k in range(len(clip)):
            stamp_ns, truth = start_ns + clip.stamp_ns(k), clip.truth(k)
            try:
                image = clip.read(k)  # a file that is copied has to be whole, too
            except BadFrameError as error:
                if on_bad is None:
                    raise
                on_bad(error)
                continue
            log_ns = start_ns + times_ns[k]
            encoded = clip.encoded(k) if jpeg_quality is not None else None
            if encoded is not None:
                kind, data = encoded
                bag.compressed(image_topic, data, kind, stamp_ns, frame_id, log_ns)
            else:
                bag.image(image_topic, image, stamp_ns, frame_id, jpeg_quality, log_ns)
            crowds += len(truth.crowd_labels)
            if truth.annotated:
                objects = Detections(truth.boxes, np.ones(len(truth), np.float32), truth.labels)
                bag.detections(truth_topic, objects, labels, stamp_ns, frame_id,
                               tracks=truth.tracks.tolist(), log_ns=log_ns)
    return crowds


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
