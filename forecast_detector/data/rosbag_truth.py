"""The truth of a bag: which topic has it, and which of its messages belongs to which image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..bags import BagError, BagReader, MessageError
from ..bags.broken import BrokenMessages
from ..bags.messages import DECISION, DETECTIONS, parse_detection, stamp_to_ns
from .base import Truth
from .rosbag_pairing import match_stamps, pair, Recorded

__all__ = ['choose_truth_topic', 'match_stamps', 'truth_candidates', 'TruthMessages']

# Name, box and track of an object, as they stand in the bag.
Row = tuple[tuple[float, ...], str, str]


def truth_candidates(bag: BagReader) -> list[str]:
    """
    List the topics that could have the truth: of type Detection2DArray, not a detector's output.

    Topics beside a ForecastDecision topic are output. Where some have ``truth`` in their name,
    only those count.
    """
    detectors = {topic.rpartition('/')[0] for topic in bag.of_type(DECISION)}
    found = [topic for topic in bag.of_type(DETECTIONS)
             if topic.rpartition('/')[0] not in detectors or 'truth' in topic]
    return [topic for topic in found if 'truth' in topic] or found


def choose_truth_topic(bag: BagReader, wanted: str | None = None) -> str | None:
    """
    Choose the topic that has the truth.

    :param wanted: its name; None takes the only candidate, '' none at all.
    :returns: None if none is named and the bag has none.
    :raises BagError: if the named one is not there or of another type, or several could be meant.
    """
    if wanted == '':
        return None
    if wanted is not None:
        found = bag.of_type(DETECTIONS)
        if wanted not in found:
            raise BagError(
                f'{bag.path}: no truth topic {wanted} of type {DETECTIONS}; the bag has {found} '
                f'of that type'
            )
        return wanted
    found = truth_candidates(bag)
    if len(found) > 1:
        raise BagError(f'{bag.path}: several topics could be the truth, {found}; name one')
    return found[0] if found else None


class TruthMessages:
    """
    The objects of a truth topic, message by message.

    :ivar names: class names in use, sorted.
    :ivar broken: the messages that cannot be read; their images are not annotated.
    """

    def __init__(self, bag: BagReader, topic: str) -> None:
        """
        Read the topic.

        :raises BagError: for an object without a class or a finite box, or if no message can be
            read.
        """
        self.where = f'{bag.path}: {topic}'
        self.broken = BrokenMessages(topic)
        self._marks: list[Recorded] = []
        self._rows: list[tuple[Row, ...] | None] = []
        for record in bag.records([topic]):
            try:
                message = record.message()
            except MessageError as error:
                self.broken.add(record, error)
                self._take(record.log_ns, None, None)
                continue
            stamp_ns = stamp_to_ns(message.header.stamp)
            self._take(record.log_ns, stamp_ns, tuple(self._row(stamp_ns, detection)
                                                      for detection in message.detections))
        self.broken.total = len(self._rows)
        self.broken.refuse_all(bag.path)
        self.names = sorted({name for rows in self._rows for _, name, _ in rows or ()})

    def _take(self, log_ns: int, stamp_ns: int | None, rows: tuple[Row, ...] | None) -> None:
        self._marks.append(Recorded(log_ns, stamp_ns, rows))
        self._rows.append(rows)

    def _row(self, stamp_ns: int, detection: Any) -> Row:
        box, name, _, track = parse_detection(detection)
        if not name or not np.isfinite(box).all():
            raise BagError(
                f'{self.where} at {stamp_ns} ns has an object with class {name!r} and box {box}; '
                f'expected a class_id in results and a finite bbox; correct the labels'
            )
        return box, name, track

    def truths(
        self, images: Sequence[Recorded], index: dict[str, int], tolerance_ns: int
    ) -> tuple[list[Truth], list[str]]:
        """
        Give each image its truth; one without a message was not annotated.

        :param images: in the order of recording.
        :param index: class name to label.
        :param tolerance_ns: see :func:`~.rosbag_pairing.pair`.
        :returns: the truths, and what is odd about the stamps, in words.
        :raises BagError: if there are messages, but none belongs to an image.
        """
        paired = pair(images, self._marks, tolerance_ns)
        if self._marks and not any(truth is not None for truth in paired.truths):
            raise BagError(f'{self.where}: {self._why_none(images, paired.notes, tolerance_ns)}')
        numbers = self._track_numbers()
        rows = [None if truth is None else self._rows[truth] for truth in paired.truths]
        return [
            Truth(annotated=False) if found is None else _truth(found, index, numbers)
            for found in rows
        ], paired.notes

    def _why_none(self, images: Sequence[Recorded], notes: list[str], tolerance_ns: int) -> str:
        if notes:
            return '; '.join(notes)
        first, image = (next((m.stamp_ns for m in marks if m.stamp_ns is not None), None)
                        for marks in (self._marks, images))
        return (
            f'no message has the stamp of an image, give or take {tolerance_ns / 1e6:g} ms (first '
            f'stamps {first} and {image} ns); the truth must carry the header of its image: name '
            f'the other topic, correct the stamps, or allow more'
        )

    def _track_numbers(self) -> dict[str, int]:
        """Number the ids of a bag: as they are if all are numbers, else as they come."""
        ids = list(dict.fromkeys(
            track for rows in self._rows for _, _, track in rows or () if track
        ))
        if all(track.isdecimal() and len(track) < 19 for track in ids):  # 64 bits have more
            return {track: int(track) for track in ids}
        return {track: k for k, track in enumerate(ids)}


def _truth(found: Sequence[Row], index: dict[str, int], numbers: dict[str, int]) -> Truth:
    """Turn the objects of one image into a :class:`Truth`; those without area are left out."""
    rows = [row for row in found if row[0][2] > row[0][0] and row[0][3] > row[0][1]]
    return Truth(
        np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        np.array([index[name] for _, name, _ in rows], np.int64),
        np.array([numbers.get(track, -1) for _, _, track in rows], np.int64),
    )
