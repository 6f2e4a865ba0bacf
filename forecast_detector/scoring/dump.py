"""Detections as COCO results JSON: ``image_id, category_id, bbox`` (x, y, w, h), ``score``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import xywh_to_xyxy, xyxy_to_xywh
from ..data.coco_fields import matching
from ..data.text import read_text
from ..types import Detections

FORM = "a COCO results file is a list of {'image_id', 'category_id', 'bbox', 'score'}"


def results(
    image_id: int | str, detections: Detections, category_ids: Mapping[int, int | str],
    names: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """
    Write one frame's detections as COCO results; all digits, so that nothing changes.

    :param category_ids: label to category id; detections of other labels are left out.
    :param names: class names, to be written as ``category_name``, too: for data that has no
        category ids of its own. Readers of COCO results pass over it.
    """
    boxes = xyxy_to_xywh(detections.boxes.astype(np.float64))
    return [
        {
            'image_id': _plain(image_id),
            'category_id': _plain(category_ids[int(label)]),
            'bbox': box.tolist(),
            'score': float(score),
            **({'category_name': names[int(label)]} if names else {}),
        }
        for box, score, label in zip(boxes, detections.scores, detections.labels)
        if int(label) in category_ids
    ]


def _plain(value: int | str) -> int | str:
    return value if isinstance(value, str) else int(value)


def write_dump(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write results, one detection a line; makes the folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write('[\n')
        for index, row in enumerate(rows):
            file.write((',\n' if index else '') + json.dumps(row))
        file.write('\n]\n')


@dataclass(frozen=True)
class Dump:
    """
    Detections that were read from a file.

    :ivar found: image id to detections by falling score, for images that have any.
    :ivar results: how many results the file has.
    :ivar elsewhere: how many of them are for images that are not asked for: another stride, or
        another data set.
    :ivar foreign: how many of them, of images that are, name a class that the data set does not
        know.
    """

    found: dict[int | str, Detections]
    results: int
    elsewhere: int
    foreign: int


def read_dump(
    path: str | Path, image_ids: Sequence[int | str], category_ids: Mapping[int, int | str],
    names: Sequence[str] = (),
) -> Dump:
    """
    Read results of any detector.

    Detections of images that are not asked for (another stride) are left out, and counted.

    :param category_ids: label to category id, as for :func:`results`.
    :param names: class names by label, for results that have a ``category_name``: it goes before
        the id, and a class that the data set does not know has no objects to be found in it.
    :raises ValueError: if it is not COCO results, or all are of other images, or one of another
        category.
    """
    label_of = {category: label for label, category in category_ids.items()}
    label_named = {name: label for label, name in enumerate(names)}
    wanted, rows = set(image_ids), _read_rows(Path(path))
    chosen: dict[int | str, list[tuple[list[float], float, int]]] = defaultdict(list)
    elsewhere = foreign = 0
    for index, row in enumerate(rows):
        image, box, score, category = _checked(row, index, path)
        image, category = matching(image, wanted), matching(category, label_of)
        if image not in wanted:
            elsewhere += 1
            continue
        if 'category_name' in row:
            label = label_named.get(row['category_name'])
        elif category in label_of:
            label = label_of[category]
        else:
            raise ValueError(
                f'{path}: result {index} has category_id {category}; the data set has '
                f'{sorted(label_of)}'
            )
        if label is None:
            foreign += 1
        else:
            chosen[image].append((box, score, label))
    if rows and elsewhere == len(rows):
        raise ValueError(
            f'{path}: none of its {len(rows)} results is for an image of this data set; check '
            '--dataset, --root and --split'
        )
    return Dump({image: _detections(found) for image, found in chosen.items()},
                len(rows), elsewhere, foreign)


def check_dump(path: str | Path) -> None:
    """
    See that a file is COCO results, before hours are spent on what it is compared with.

    :raises ValueError: if it is not.
    :raises FileNotFoundError: if there is no such file.
    """
    for index, row in enumerate(_read_rows(Path(path))):
        _checked(row, index, path)


def _read_rows(path: Path) -> list[Any]:
    if not os.path.isfile(path):  # also of a link that leads to itself
        raise FileNotFoundError(f'{path}: no such file; name one as --dump writes it: {FORM}')
    try:
        rows = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}: not JSON ({error}); {FORM}') from error
    if isinstance(rows, dict) and 'annotations' in rows:
        raise ValueError(f'{path}: holds annotations, not results; {FORM}')
    if not isinstance(rows, list):
        raise ValueError(f'{path}: holds a {type(rows).__name__}; {FORM}')
    return rows


def _checked(
    row: Any, index: int, path: str | Path
) -> tuple[int | str, list[float], float, int | str]:
    try:
        box = [float(value) for value in row['bbox']]
        image, category = (_id(row[key]) for key in ('image_id', 'category_id'))
        if isinstance(row['score'], str):
            raise TypeError('a score that is text')
        result = image, box, float(row['score']), category
        named = row.get('category_name', '')
        if not isinstance(named, str):
            raise TypeError(f'category_name {named!r}')
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f'{path}: result {index} is {row!r:.120}; {FORM}') from error
    if len(box) != 4 or not np.isfinite([*box, result[2]]).all() or min(box[2:]) < 0:
        raise ValueError(
            f'{path}: result {index} has bbox {box} and score {result[2]}; four finite numbers '
            'x, y, width, height, no size below 0, and a finite score are needed'
        )
    return result


def _id(value: Any) -> int | str:
    """Take an id; 7.0 is what some writers make of 7, and 7.5 is none."""
    if isinstance(value, (int, str)):
        return value
    if int(value) != float(value):
        raise ValueError(f'{value} is no id')
    return int(value)


def _detections(found: Sequence[tuple[list[float], float, int]]) -> Detections:
    order = np.argsort([-score for _, score, _ in found], kind='stable')
    boxes, scores, labels = zip(*(found[i] for i in order))
    corners = xywh_to_xyxy(np.array(boxes, np.float64).reshape(-1, 4))
    return Detections(
        corners.astype(np.float32), np.array(scores, np.float32), np.array(labels, np.int64)
    )
