"""Fields of COCO's JSON as tools write them: numbers as text or floats, flags, ids that match."""

from __future__ import annotations

from collections.abc import Container
import math
from pathlib import Path
import re
from typing import Any

Entry = dict[str, Any]

# What stands under a key, where anything else would fail far from its file.
EXPECTED: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('id', 'image_id', 'video_id', 'category_id'), (int, str)),
    **dict.fromkeys(('frame_id', 'frame_index', 'stamp_ns'), (int,)),
    **dict.fromkeys(('instance_id', 'track_id'), (int, str)),
    **dict.fromkeys(('width', 'height', 'fps'), (int, float)),
    'file_name': (str,),
}
FLAGS = {'': False, '0': False, 'false': False, 'no': False, '1': True, 'true': True, 'yes': True}


def value_of(entry: Entry, key: str, kind: str, path: Path) -> Any:
    """
    Give what stands under a key; a whole number may be written as a float or a text.

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
        value = _converted(value, expected)
    if value is None:
        raise ValueError(
            f'{path}: {kind} {entry!r:.200} has the {key} {entry[key]!r:.60}; expected '
            f'{" or ".join(one.__name__ for one in expected)}; correct it'
        )
    return value


def _converted(value: Any, expected: tuple[type, ...]) -> Any:
    """Make a number of what means one; None of anything else."""
    if int in expected and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r'\s*[+-]?\d{1,30}\s*', value):
        return int(value)
    if float in expected and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def side_of(image: Entry, key: str, path: Path) -> int:
    """
    Give an image's width or height, rounded.

    :raises ValueError: if it is no finite number above 0.
    """
    value = float(value_of(image, key, 'image', path))
    if not (math.isfinite(value) and round(value) > 0):
        raise ValueError(f'{path}: image {image!r:.200} has the {key} {image[key]!r}; expected a '
                         'number above 0; correct it')
    return round(value)


def flag_of(entry: Entry, key: str, kind: str, path: Path) -> bool:
    """
    Give a flag that may be missing, a number or a text.

    :raises ValueError: if it is none of these; names the file.
    """
    value = entry.get(key)
    if value is None or isinstance(value, (bool, int, float)):
        return bool(value)
    flag = FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if flag is None:
        raise ValueError(f'{path}: {kind} {entry!r:.200} has the {key} {value!r:.60}; expected 0 '
                         'or 1; correct it')
    return flag


def matching(key: int | str, table: Container[int | str]) -> int | str:
    """Give an id in the form that a table has it in: ``7`` for ``'7'``, or the other way round."""
    if key in table:
        return key
    other = str(key) if isinstance(key, int) else int(key) if key.strip().isdecimal() else key
    return other if other in table else key
