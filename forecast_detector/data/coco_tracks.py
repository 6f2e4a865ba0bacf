"""Tracks of COCO's annotations, under the keys of CocoVID, TAO and CVAT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import itertools
from pathlib import Path
from typing import Any

from .coco_fields import Entry, value_of

KEYS = 'instance_id, track_id or attributes.track_id'
_LIMIT = 2 ** 63


class Tracks:
    """
    Numbers the tracks of a file.

    Whole numbers stay as they are, below 0 is no track; texts and numbers that 64 bits do not
    hold get numbers that are not in use.

    :ivar without: annotations without a track, crowds not counted.
    :ivar objects: annotations that are no crowds.
    """

    def __init__(
        self, annotations: Iterable[Entry], video_of: Mapping[Any, Any], path: Path
    ) -> None:
        """
        Read all tracks.

        :param video_of: image id to video id, for messages: a track is one within its video.
        :raises ValueError: for a track that is neither number nor text; names the file.
        """
        self._path, self._numbers = path, dict[Any, int]()
        self.without = self.objects = 0
        others: dict[Any, int] = {}
        self._conflicts = _Conflicts()
        for row in annotations:
            found = self._found(row)
            if not row.get('iscrowd'):
                self.objects += 1
                self.without += not found
            for value in found[:1]:
                if isinstance(value, int) and value < _LIMIT:
                    self._numbers[value] = max(value, -1)
                else:
                    others[value] = 0
            if len(found) > 1:
                self._conflicts.add(row, found[0], found[1], video_of.get(row['image_id']))
        fresh = (n for n in itertools.count() if n not in self._numbers)
        self._numbers.update(dict(zip(others, list(itertools.islice(fresh, len(others))))))

    def _found(self, row: Entry) -> list[int | str]:
        """List what stands under the keys, the first first."""
        attributes = row.get('attributes')
        places = ((row, 'instance_id'), (row, 'track_id'),
                  (attributes if isinstance(attributes, dict) else {}, 'track_id'))
        found: list[int | str] = []
        for place, key in places:
            if place.get(key) in (None, ''):
                continue
            try:
                value = value_of(place, key, 'annotation', self._path)
            except ValueError:
                if found:  # that one counts
                    continue
                raise
            numeric = isinstance(value, str) and value.strip().isdecimal()
            found.append(int(value) if numeric else value)
        return found

    def of(self, row: Entry) -> int:
        """Give an annotation's track; -1 where it has none."""
        found = self._found(row)
        return self._numbers[found[0]] if found else -1

    def notes(self) -> list[str]:
        """Say what is missing, and which keys disagree."""
        said = []
        if self.without:
            share = 'no annotation has' if self.without == self.objects else (
                f'{self.without} of {self.objects} annotations do not have')
            said.append(f'{share} a track ({KEYS}); without one, an object is neither slow, '
                        'medium nor fast')
        if self._conflicts.count:
            said.append(f'the keys of tracks disagree in {self._conflicts.count} annotations, '
                        f'first in {self._conflicts.first!r:.200}: instance_id is taken before '
                        'track_id, and that before attributes.track_id')
        return said


class _Conflicts:
    """Finds annotations whose two tracks do not name one object: numbers may differ, not that."""

    def __init__(self) -> None:
        self.count, self.first = 0, Entry()
        self._pairs: dict[Any, Any] = {}

    def add(self, row: Entry, track: int | str, other: int | str, video: Any) -> None:
        there = self._pairs.setdefault((video, 0, track), other)
        back = self._pairs.setdefault((video, 1, other), track)
        if there != other or back != track:
            self.first = self.first or row
            self.count += 1
