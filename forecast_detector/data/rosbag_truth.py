"""The truth of a bag: which topic has it, and which of its messages belongs to which image."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from ..bags import BagError, BagReader
from ..bags.messages import DECISION, DETECTIONS, parse_detection, stamp_to_ns
from .base import Truth

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
    The objects of a truth topic by stamp.

    :ivar names: class names in use, sorted.
    """

    def __init__(self, bag: BagReader, topic: str) -> None:
        """
        Read the topic.

        :raises BagError: for an object without a class or a finite box.
        """
        self.where = f'{bag.path}: {topic}'
        self.by_stamp: dict[int, list[Row]] = {}
        for _, message in bag.messages(topic):
            stamp_ns = stamp_to_ns(message.header.stamp)
            rows = self.by_stamp.setdefault(stamp_ns, [])
            for detection in message.detections:
                box, name, _, track = parse_detection(detection)
                if not name or not np.isfinite(box).all():
                    raise BagError(
                        f'{bag.path}: {topic} at {stamp_ns} ns has an object with class '
                        f'{name!r} and box {box}; expected a class_id in results and a finite '
                        f'bbox; correct the labels'
                    )
                rows.append((box, name, track))
        self.names = sorted({name for rows in self.by_stamp.values() for _, name, _ in rows})

    def truths(
        self, stamps_ns: Sequence[int], index: dict[str, int], tolerance_ns: int
    ) -> list[Truth]:
        """
        Give each image its truth; one without a message was not annotated.

        :param stamps_ns: of the images.
        :param index: class name to label.
        :param tolerance_ns: see :func:`match_stamps`.
        :raises BagError: if there are messages, but none belongs to an image.
        """
        matched = match_stamps(stamps_ns, list(self.by_stamp), tolerance_ns)
        if self.by_stamp and not any(stamp is not None for stamp in matched):
            raise BagError(
                f'{self.where}: no message has the stamp of an image, give or take '
                f'{tolerance_ns / 1e6:g} ms (first stamps {next(iter(self.by_stamp))} and '
                f'{stamps_ns[0]} ns); the truth must carry the header of its image: name the '
                f'other topic, correct the stamps, or allow more'
            )
        numbers = self._track_numbers()
        return [
            Truth(annotated=False) if stamp is None
            else _truth(self.by_stamp[stamp], index, numbers) for stamp in matched
        ]

    def _track_numbers(self) -> dict[str, int]:
        """Number the ids of a bag: as they are if all are numbers, else as they come."""
        ids = list(dict.fromkeys(
            track for rows in self.by_stamp.values() for _, _, track in rows if track
        ))
        if all(track.isdecimal() for track in ids):
            return {track: int(track) for track in ids}
        return {track: k for k, track in enumerate(ids)}


def match_stamps(
    images_ns: Sequence[int], truths_ns: Sequence[int], tolerance_ns: int
) -> list[int | None]:
    """
    Find the truth of each image by its stamp.

    An equal stamp is the image's own. Where there is none, image and message belong together
    if each is the other's nearest, of those without an equal, and no further than the tolerance.

    :returns: for each image the stamp of its message, or None.
    """
    equal = set(truths_ns) & set(images_ns)
    images, truths = (sorted(set(stamps) - equal) for stamps in (images_ns, truths_ns))
    found = {stamp: stamp for stamp in equal}
    for image in images:
        truth = _nearest(truths, image)
        if truth is not None and abs(truth - image) <= tolerance_ns and (
            _nearest(images, truth) == image
        ):
            found[image] = truth
    return [found.get(stamp) for stamp in images_ns]


def _nearest(stamps: Sequence[int], stamp: int) -> int | None:
    """Nearest of rising stamps, the earlier of two."""
    at = bisect_left(stamps, stamp)
    return min(stamps[max(0, at - 1):at + 1], key=lambda s: abs(s - stamp), default=None)


def _truth(rows: list[Row], index: dict[str, int], numbers: dict[str, int]) -> Truth:
    """Turn the objects of one image into a :class:`Truth`; those without area are left out."""
    rows = [row for row in rows if row[0][2] > row[0][0] and row[0][3] > row[0][1]]
    return Truth(
        np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        np.array([index[name] for _, name, _ in rows], np.int64),
        np.array([numbers.get(track, -1) for _, _, track in rows], np.int64),
    )
