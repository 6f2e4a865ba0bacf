"""COCO's JSON: its lists read and checked, truths by image, categories numbered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes import xywh_to_xyxy
from .base import Truth
from .frames import clip_boxes
from .labels import label_indices

KEYS = ('categories', 'videos', 'images', 'annotations')
Entry = dict[str, Any]
Columns = tuple[
    NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]
]


def read_annotations(path: Path, keys: Sequence[str] = KEYS) -> dict[str, list[Entry]]:
    """
    Read the JSON file and check that its lists are there.

    :param keys: the lists that are needed.

    :raises FileNotFoundError: if it is missing.
    :raises ValueError: if it is not JSON, or not CocoVID; names file and key.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such annotation file; the truth of a split is expected in '
            f'ROOT/annotations/SPLIT.json'
        )
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path}: not valid JSON ({error}); truncated? fetch it again') from error
    for key in keys:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(
                f"{path}: no list '{key}'; CocoVID has categories, videos, images (with video_id "
                f'and frame_id) and annotations; convert the file first'
            )
    return content


# What stands under a key, where anything else would fail far from its file.
EXPECTED: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('id', 'image_id', 'video_id', 'category_id'), (int, str)),
    **dict.fromkeys(('frame_id', 'stamp_ns', 'instance_id'), (int,)),
    **dict.fromkeys(('width', 'height', 'fps'), (int, float)),
    'file_name': (str,),
}


def value_of(entry: Entry, key: str, kind: str, path: Path) -> Any:
    """
    Give what stands under a key.

    :param kind: of the entry, for messages.
    :raises ValueError: if nothing does, or not what is expected; names the file.
    """
    try:
        value = entry[key]
    except (KeyError, TypeError):
        raise ValueError(
            f"{path}: {kind} {entry} has no '{key}', which CocoVID needs; add it"
        ) from None
    expected = EXPECTED.get(key, (object,))
    if not isinstance(value, expected):
        raise ValueError(
            f'{path}: {kind} {entry!r:.200} has the {key} {value!r:.60}; expected '
            f'{" or ".join(one.__name__ for one in expected)}; correct it'
        )
    return value


def by_id(entries: list[Entry], kind: str, path: Path) -> dict[int, Entry]:
    """
    Put entries into a table.

    :raises ValueError: if an id is there twice, or numbers and texts are mixed.
    """
    table = {value_of(entry, 'id', kind, path): entry for entry in entries}
    if len(table) < len(entries):
        raise ValueError(
            f'{path}: {len(entries) - len(table)} {kind} ids are there twice; make them unique'
        )
    if len({isinstance(key, str) for key in table}) > 1:
        raise ValueError(
            f'{path}: some {kind} ids are numbers and others text; make them of one kind'
        )
    return table


class ImageTruths:
    """
    The annotations of a file by image.

    :ivar dropped: boxes left out so far, without area or outside their image.
    """

    def __init__(self, content: dict[str, list[Entry]], path: Path, label_of: dict[int, int]):
        self.path, self.label_of, self.dropped = path, label_of, 0
        images = {value_of(image, 'id', 'image', path) for image in content['images']}
        self.rows: dict[int, list[Entry]] = defaultdict(list)
        for row in content['annotations']:
            image_id = value_of(row, 'image_id', 'annotation', path)
            if image_id not in images:
                raise ValueError(
                    f'{path}: annotation {row.get("id")} names image {image_id}, which is not '
                    f"in 'images'; remove it, or add the image"
                )
            self.rows[image_id].append(row)

    def _box(self, row: Entry) -> NDArray[np.float32]:
        value = value_of(row, 'bbox', 'annotation', self.path)
        try:
            box = np.array(value, np.float32).reshape(-1)
        except (TypeError, ValueError):
            box = np.zeros(0, np.float32)
        if len(box) != 4 or not np.isfinite(box).all() or (box[2:] < 0).any():
            raise ValueError(
                f'{self.path}: annotation {row.get("id")} has bbox {value}; expected four '
                f'finite numbers x, y, width, height with no size below 0; correct it'
            )
        return box

    def _track(self, row: Entry) -> int:
        if row.get('instance_id') is None:
            return -1
        return int(value_of(row, 'instance_id', 'annotation', self.path))

    def of(self, image: Entry) -> Truth:
        """Turn an image's annotations into its :class:`Truth`."""
        if not image.get('annotated', True):
            return Truth(annotated=False)
        rows = self.rows.get(image['id'], [])
        if not rows:
            return Truth()
        boxes, labels, tracks, crowd = self._columns(rows, image)
        return Truth(
            boxes[~crowd], labels[~crowd], tracks[~crowd],
            crowd_boxes=boxes[crowd], crowd_labels=labels[crowd],
        )

    def _columns(self, rows: list[Entry], image: Entry) -> Columns:
        """Boxes cut at the image's border, labels, tracks, and which are crowds."""
        boxes = xywh_to_xyxy(np.stack([self._box(row) for row in rows]))
        size = (value_of(image, 'width', 'image', self.path),
                value_of(image, 'height', 'image', self.path))
        boxes, keep = clip_boxes(boxes, size)
        self.dropped += int((~keep).sum())
        labels = np.array([self.label_of[row['category_id']] for row in rows], np.int64)
        tracks = np.array([self._track(row) for row in rows], np.int64)
        crowd = np.array([bool(row.get('iscrowd')) for row in rows])
        return boxes[keep], labels[keep], tracks[keep], crowd[keep]


def number_categories(
    content: dict[str, list[Entry]], path: Path, labels: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[int, int]]:
    """Number the categories by rising id, or by the weights' list."""
    categories = by_id(content['categories'], 'category', path)
    used = {value_of(row, 'category_id', 'annotation', path) for row in content['annotations']}
    unknown = sorted(used - set(categories))
    if unknown:
        raise ValueError(
            f"{path}: annotations use category ids {unknown}, which are not in 'categories' "
            f'({sorted(categories)}); add them'
        )
    names = {i: str(value_of(categories[i], 'name', 'category', path)) for i in sorted(categories)}
    if labels is not None:
        # A category that is declared and never annotated does no harm.
        names = {i: name for i, name in names.items() if i in used or name in labels}
    in_force, index = label_indices(list(names.values()), labels, path)
    return in_force, {i: index[name] for i, name in names.items()}
