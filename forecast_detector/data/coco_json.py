"""COCO's JSON: its lists read and checked, truths by image, categories numbered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..boxes import xywh_to_xyxy
from .base import Truth
from .coco_fields import Entry, flag_of, matching, side_of, value_of
from .coco_tracks import Tracks
from .frames import clip_boxes
from .labels import label_indices
from .text import read_text

KEYS = ('categories', 'videos', 'images', 'annotations')
Columns = tuple[
    NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]
]


def read_annotations(path: Path, keys: Sequence[str] = KEYS) -> dict[str, list[Entry]]:
    """
    Read the JSON file and check that its lists are there.

    :param keys: the lists that are needed.

    :raises FileNotFoundError: if it is missing.
    :raises ValueError: if it is not JSON, in another encoding, or not CocoVID; names file and
        key.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'{path}: no such annotation file; the truth of a split is expected in '
            f'ROOT/annotations/SPLIT.json'
        )
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}: not valid JSON ({error}); {_remedy(text, error)}') from error
    except (ValueError, RecursionError) as error:  # numbers and depths beyond what Python reads
        raise ValueError(f'{path}: cannot be read as JSON ({error}); correct it') from error
    for key in keys:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(
                f"{path}: no list '{key}'; CocoVID has categories, videos, images (with video_id "
                f'and frame_id) and annotations; convert the file first'
            )
    return content


def _remedy(text: str, error: json.JSONDecodeError) -> str:
    if text.startswith('version https://git-lfs'):
        return 'it is a pointer of Git LFS: fetch the file itself (git lfs pull)'
    if text.lstrip().startswith('<'):
        return 'it is XML or a web page: fetch or export it again'
    is_cut = error.pos >= len(text.rstrip()) or error.msg.startswith('Unterminated')
    return 'truncated? fetch it again' if is_cut else 'correct it there'


def by_id(entries: list[Entry], kind: str, path: Path) -> dict[int | str, Entry]:
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
    :ivar tracks: the objects' tracks.
    """

    def __init__(
        self, content: dict[str, list[Entry]], path: Path, label_of: Mapping[int | str, int]
    ) -> None:
        self.path, self.label_of, self.dropped = path, label_of, 0
        images = {image_id: image.get('video_id')
                  for image_id, image in by_id(content['images'], 'image', path).items()}
        self.rows: dict[int | str, list[Entry]] = defaultdict(list)
        for row in content['annotations']:
            image_id = matching(value_of(row, 'image_id', 'annotation', path), images)
            if image_id not in images:
                raise ValueError(
                    f'{path}: annotation {row.get("id")} names image {image_id}, which is not '
                    f"in 'images'; remove it, or add the image"
                )
            row['image_id'] = image_id
            self.rows[image_id].append(row)
        self.tracks = Tracks(content['annotations'], images, path)

    def _box(self, row: Entry) -> NDArray[np.float32]:
        value = row['bbox'] if 'bbox' in row else value_of(row, 'bbox', 'annotation', self.path)
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

    def of(self, image: Entry) -> Truth:
        """Turn an image's annotations into its :class:`Truth`."""
        if 'annotated' in image and not flag_of(image, 'annotated', 'image', self.path):
            return Truth(annotated=False)
        rows = self.rows.get(value_of(image, 'id', 'image', self.path), [])
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
        size = (side_of(image, 'width', self.path), side_of(image, 'height', self.path))
        boxes, keep = clip_boxes(boxes, size)
        self.dropped += int((~keep).sum())
        labels = np.array([self.label_of[row['category_id']] for row in rows], np.int64)
        tracks = np.array([self.tracks.of(row) for row in rows], np.int64)
        crowd = np.array([flag_of(row, 'iscrowd', 'annotation', self.path) for row in rows])
        return boxes[keep], labels[keep], tracks[keep], crowd[keep]


def number_categories(
    content: dict[str, list[Entry]], path: Path, labels: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[int | str, int]]:
    """Number the categories by rising id, or by the weights' list."""
    categories = by_id(content['categories'], 'category', path)
    for row in content['annotations']:
        row['category_id'] = matching(
            value_of(row, 'category_id', 'annotation', path), categories)
    used = {row['category_id'] for row in content['annotations']}
    unknown = sorted(used - set(categories), key=str)
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
