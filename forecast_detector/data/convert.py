"""Any clips to CocoVID files, and any clip to a bag; loading either is the way back."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import re
import shutil
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bags import BagWriter
from ..bags.writer import Storage
from ..boxes import xyxy_to_xywh
from ..types import Detections
from .base import Clip, ClipDataset, Truth
from .voc_video import ImageFilesClip


def _folder(clip: Clip) -> str:
    return re.sub(r'[^\w.-]+', '_', clip.name).strip('_') or 'clip'


def _save(clip: Clip, index: int, path: Path, image: NDArray[np.uint8]) -> None:
    """Write a frame; an image file of the same kind is copied as it is."""
    if isinstance(clip, ImageFilesClip) and clip.files[index].suffix.lower() == path.suffix:
        shutil.copyfile(clip.files[index], path)
        return
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, 95]):
        raise OSError(f'{path}: cannot be written; is the disk full?')


def _rows(truth: Truth, image_id: int, video_id: int) -> Iterator[dict[str, Any]]:
    boxes = np.round(xyxy_to_xywh(truth.boxes).astype(float), 3).tolist()
    for box, label, track in zip(boxes, truth.labels.tolist(), truth.tracks.tolist()):
        row = {'image_id': image_id, 'video_id': video_id, 'category_id': label + 1, 'bbox': box,
               'area': round(box[2] * box[3], 3), 'iscrowd': 0}
        yield row if track < 0 else {**row, 'instance_id': track}


def write_coco_vid(
    dataset: ClipDataset, root: str | Path, split: str, suffix: str = '.jpg'
) -> Path:
    """
    Write clips as CocoVID: ``root/annotations/SPLIT.json`` and a folder of images a clip.

    Ids count from 1; the category of label k is k + 1.

    :param suffix: ``.jpg`` or ``.png``.
    :returns: the annotation file.
    :raises FileExistsError: if the annotation file is there already.
    """
    root = Path(root)
    target = root / 'annotations' / f'{split}.json'
    if target.exists():
        raise FileExistsError(f'{target} exists; remove it, or choose another root or split')
    videos: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for video_id, clip in enumerate(dataset.clips, 1):
        folder = f'{video_id:05d}_{_folder(clip)}'
        (root / split / folder).mkdir(parents=True, exist_ok=True)
        videos.append({'id': video_id, 'name': clip.name, 'fps': clip.fps, 'length': len(clip)})
        for k in range(len(clip)):
            image = clip.read(k)
            name = f'{folder}/{k:06d}{suffix}'
            _save(clip, k, root / split / name, image)
            images.append({'id': len(images) + 1, 'video_id': video_id, 'frame_id': k,
                           'file_name': name, 'height': image.shape[0], 'width': image.shape[1]})
            rows += _rows(clip.truth(k), len(images), video_id)
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
    return target


def clip_to_bag(
    clip: Clip, labels: tuple[str, ...], path: str | Path, image_topic: str = '/camera/image_raw',
    truth_topic: str = '/camera/truth', jpeg_quality: int | None = None,
    storage: Storage = 'mcap', frame_id: str = 'camera', start_ns: int = 0,
) -> None:
    """
    Write a clip and its truth as a bag; every image gets a truth message, even an empty one.

    :param labels: class names of the clip's data set.
    :param jpeg_quality: compress the images (name the topic ``…/compressed`` then); None is raw.
    :param start_ns: added to the clip's stamps.
    :raises FileExistsError: if there is something at ``path``.
    """
    with BagWriter(path, storage) as bag:
        for k in range(len(clip)):
            stamp_ns, truth = start_ns + clip.stamp_ns(k), clip.truth(k)
            bag.image(image_topic, clip.read(k), stamp_ns, frame_id, jpeg_quality)
            objects = Detections(truth.boxes, np.ones(len(truth), np.float32), truth.labels)
            bag.detections(truth_topic, objects, labels, stamp_ns, frame_id,
                           tracks=truth.tracks.tolist())
