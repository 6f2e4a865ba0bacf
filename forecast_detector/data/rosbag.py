"""Bags as clips: an image topic, and a Detection2DArray topic as its truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bags import BagError, BagReader
from ..bags.messages import DECISION, DETECTIONS, parse_detection, stamp_to_ns
from ..bags.reader import frame_from_message
from ..types import BadFrameError, Frame
from .base import Clip, ClipDataset, Truth
from .frames import PackedTruth
from .labels import label_indices


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


class _Objects:
    """The objects of a truth topic by stamp, with names and ids as they stand in the bag."""

    def __init__(self, bag: BagReader, topic: str) -> None:
        self.by_stamp: dict[int, list[tuple[tuple[float, ...], str, str]]] = {}
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


def _track_numbers(objects: _Objects) -> dict[str, int]:
    """Number the ids of a bag: as they are if all are numbers, else as they come."""
    ids = list(dict.fromkeys(
        track for rows in objects.by_stamp.values() for _, _, track in rows if track
    ))
    if all(track.isdecimal() for track in ids):
        return {track: int(track) for track in ids}
    return {track: k for k, track in enumerate(ids)}


class RosbagClip(Clip):
    """
    One camera of a bag, with truth where the bag has it.

    The bag is looked through once to learn the stamps; images are read again when asked for, in
    order best. It is opened again after a fork or in another process.

    :ivar unmatched: number of images that no truth message has the stamp of; their truth is
        empty.
    :ivar truth_topic: None if there is no truth.
    """

    def __init__(
        self, path: str | Path, image_topic: str | None = None, truth_topic: str | None = None,
        labels: Sequence[str] | None = None, first_image_id: int = 0,
    ) -> None:
        """
        Look a bag through.

        :param labels: class names to number the truth by; without them the names in the bag,
            sorted.
        :raises BagError: if the bag or a topic cannot be used; names it.
        :raises ValueError: if the truth has classes foreign to ``labels``.
        """
        self.path = Path(path)
        with BagReader(self.path) as bag:
            self.image_topic = bag.image_topic(image_topic)
            self._image_type = bag.topics[self.image_topic]
            self.truth_topic = choose_truth_topic(bag, truth_topic)
            times = [(log_ns, stamp_to_ns(message.header.stamp))
                     for log_ns, message in bag.messages(self.image_topic)]
            if not times:
                raise BagError(
                    f'{self.path}: topic {self.image_topic} has no images; record again, or name '
                    f'another topic'
                )
            self._log_ns, self._stamps_ns = np.array(times, np.int64).T
            objects = _Objects(bag, self.truth_topic) if self.truth_topic else None
        self.name = f'{self.path.name}:{self.image_topic}'
        steps = np.diff(self._stamps_ns)
        step_ns = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
        self.fps = 1e9 / step_ns if step_ns else 30.0
        self.first_image_id = first_image_id
        self._take_truth(objects, labels)
        self._forget_position()

    def _take_truth(self, objects: _Objects | None, labels: Sequence[str] | None) -> None:
        """Join truth and images by stamp."""
        names = objects.names if objects else []
        self.labels, index = label_indices(names, labels, f'{self.path} {self.truth_topic}')
        self.unmatched = len(self)
        if objects is None:
            self._truth = PackedTruth.pack(Truth() for _ in range(len(self)))
            return
        numbers = _track_numbers(objects)
        stamps: list[int] = self._stamps_ns.tolist()
        matched = [stamp in objects.by_stamp for stamp in stamps]
        if objects.by_stamp and not any(matched):
            raise BagError(
                f'{self.path}: no message of {self.truth_topic} has the stamp of an image of '
                f'{self.image_topic} (first stamps {next(iter(objects.by_stamp))} and '
                f'{stamps[0]} ns); the truth must carry the header of its image: name the other '
                f'topic, or correct the stamps'
            )
        self.unmatched = matched.count(False)
        self._truth = PackedTruth.pack(
            _truth(objects.by_stamp.get(stamp, []), index, numbers) for stamp in stamps
        )

    def _forget_position(self) -> None:
        self._bag: BagReader | None = None
        self._images: Iterator[tuple[int, Any]] = iter(())
        self._next = len(self._stamps_ns)
        self._pid = -1
        self._last: tuple[int, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open bag behind."""
        state = dict(self.__dict__)
        for name in ('_bag', '_images', '_next', '_pid', '_last'):
            state.pop(name)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back closed."""
        self.__dict__.update(state)
        self._forget_position()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._stamps_ns)

    def _seek(self, index: int) -> None:
        """Stand before image ``index``; images recorded at one time are counted through."""
        if self._bag is None or self._pid != os.getpid():
            self._bag, self._pid = BagReader(self.path), os.getpid()
        # One nanosecond early: rosbags 0.11.0 passes over a chunk that ends at the start.
        start_ns = int(self._log_ns[index]) - 1
        self._images = self._bag.messages(self.image_topic, start_ns=start_ns)
        self._next = index - int((self._log_ns[:index] >= start_ns).sum())

    def _message(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise BadFrameError(
                f'{self.path} {self.image_topic}: image {index} asked for; there are '
                f'{len(self)}, from 0'
            )
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        if self._next > index or index > self._next + 8 or self._pid != os.getpid():
            self._seek(index)
        message = None
        while self._next <= index:
            try:
                _, message = next(self._images)
            except StopIteration:
                raise BadFrameError(
                    f'{self.path} {self.image_topic}: image {index} is gone; the bag has changed '
                    f'since it was opened; open it again'
                ) from None
            self._next += 1
        self._last = (index, message)
        return message

    def frame(self, index: int) -> Frame:
        """
        Wrap an image with its own header, undecoded.

        :raises BadFrameError: if there is no such image.
        """
        where = f'{self.path} {self.image_topic} image {index}'
        return frame_from_message(self._message(index), self._image_type, where)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode an image, (H, W, 3), uint8, RGB."""
        return self.frame(index).load()

    def truth(self, index: int) -> Truth:
        """Return an image's objects; boxes as they stand in the bag."""
        return self._truth[index]

    def image_id(self, index: int) -> int:
        """Count from ``first_image_id``."""
        return self.first_image_id + index

    def stamp_ns(self, index: int) -> int:
        """Return the stamp in the image's header."""
        return int(self._stamps_ns[index])


def _truth(
    rows: list[tuple[tuple[float, ...], str, str]], index: dict[str, int],
    numbers: dict[str, int],
) -> Truth:
    """Turn the objects of one image into a :class:`Truth`; those without area are left out."""
    rows = [row for row in rows if row[0][2] > row[0][0] and row[0][3] > row[0][1]]
    return Truth(
        np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        np.array([index[name] for _, name, _ in rows], np.int64),
        np.array([numbers.get(track, -1) for _, _, track in rows], np.int64),
    )


def find_bags(path: str | Path) -> list[Path]:
    """
    List the bags of a folder, sorted: bag folders, ``.mcap`` and ``.db3`` files; or a bag itself.

    Nothing is opened, so a broken one is among them.

    :raises FileNotFoundError: if there is no bag.
    """
    path = Path(path)
    if path.is_file() or (path / 'metadata.yaml').is_file():
        return [path]
    found = []
    for entry in sorted(path.iterdir()) if path.is_dir() else []:
        inside = entry.is_dir() and any(
            f.name == 'metadata.yaml' or f.suffix in ('.mcap', '.db3') for f in entry.iterdir()
        )
        if inside or (entry.is_file() and entry.suffix in ('.mcap', '.db3')):
            found.append(entry)
    if not found:
        raise FileNotFoundError(
            f'{path}: no bag there; expected a bag folder (with metadata.yaml), an .mcap or .db3 '
            f'file, or a folder of such'
        )
    return found


def load_rosbag(
    path: str | Path, image_topic: str | None = None, truth_topic: str | None = None,
    labels: Sequence[str] | None = None,
) -> ClipDataset:
    """
    Load a bag, or every bag of a folder, as clips.

    :param labels: class names to number the truth by; without them all names in the bags,
        sorted.
    :raises FileNotFoundError: if there is no bag.
    :raises BagError: for the first bag that cannot be used.
    :raises ValueError: if the truth has classes foreign to ``labels``.
    """
    bags = find_bags(path)
    clips = [RosbagClip(bag, image_topic, truth_topic, labels) for bag in bags]
    if labels is None and len(clips) > 1:
        labels = tuple(sorted({name for clip in clips for name in clip.labels}))
        clips = [RosbagClip(bag, image_topic, truth_topic, labels) for bag in bags]
    first = 0
    for clip in clips:
        clip.first_image_id = first
        first += len(clip)
    return ClipDataset(clips[0].labels, clips)
