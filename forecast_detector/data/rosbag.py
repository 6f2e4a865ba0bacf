"""Bags as clips: an image topic, and a Detection2DArray topic as its truth."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bags import BagError, BagReader
from ..bags.broken import BrokenMessages
from ..bags.finding import find_bags
from ..bags.messages import COMPRESSED_IMAGE, stamp_to_ns
from ..bags.reader import frame_from_message, MessageError, Record
from ..images import CompressedFormat
from ..types import BadFrameError, Frame
from .base import Clip, ClipDataset, Truth
from .frames import PackedTruth
from .image_files import file_kind
from .labels import label_indices
from .rosbag_pairing import Recorded
from .rosbag_truth import choose_truth_topic, truth_candidates, TruthMessages

__all__ = [
    'choose_truth_topic', 'find_bags', 'load_rosbag', 'RosbagClip', 'truth_candidates',
]

# Truth that was not made from the images themselves may miss their stamps by a little.
TOLERANCE_NS = 5_000_000
# Image ids tell the bag by its place in the folder, so that a bag that cannot be used leaves the
# ids of the others alone.
IDS_A_BAG = 10_000_000


class RosbagClip(Clip):
    """
    One camera of a bag, with truth where the bag has it.

    The bag is read through once to learn the stamps; images are read again when asked for, in
    order best. It is opened again after a fork or in another process. Messages that cannot be
    read are no frames: they are counted, and named in ``lacks``.

    :ivar broken: number of messages of the image topic that cannot be read.
    :ivar unmatched: number of images that no truth message belongs to: not annotated.
    :ivar truth_topic: None if there is no truth.
    """

    def __init__(
        self, path: str | Path, image_topic: str | None = None, truth_topic: str | None = None,
        labels: Sequence[str] | None = None, first_image_id: int = 0,
        tolerance_ns: int = TOLERANCE_NS,
    ) -> None:
        """
        Read a bag through.

        :param labels: class names to number the truth by; without them the names in the bag,
            sorted.
        :param tolerance_ns: how far the stamp of a truth may be from that of its image.
        :raises BagError: if the bag or a topic cannot be used; names it.
        :raises ValueError: if the truth has classes foreign to ``labels``.
        """
        self.path = Path(path)
        with BagReader(self.path) as bag:
            self.image_topic = bag.image_topic(image_topic)
            self._image_type = bag.topics[self.image_topic]
            self.truth_topic = choose_truth_topic(bag, truth_topic)
            marks = self._look_through(bag)
            truth = TruthMessages(bag, self.truth_topic) if self.truth_topic else None
            missing = bag.missing
        self.name = f'{self.path.name}:{self.image_topic}'
        self.fps = _rate(self._stamps_ns) or _rate(self._log_ns) or 30.0
        self.first_image_id = first_image_id
        self._lacks = [missing, self._broken_text]
        self._take_truth(truth, marks, labels, tolerance_ns)
        self._forget_position()

    def _look_through(self, bag: BagReader) -> list[Recorded]:
        """Learn stamps and times of recording; returns every image, readable or not."""
        times, marks, broken = array('q'), list[Recorded](), BrokenMessages(self.image_topic)
        last: tuple[int, bytes] | None = None
        for record in bag.records([self.image_topic]):
            try:
                stamp_ns = stamp_to_ns(record.message().header.stamp)
            except MessageError as error:
                broken.add(record, error)
                marks.append(Recorded(record.log_ns, None, is_whole=False))
                continue
            times.extend((record.log_ns, stamp_ns))
            repeats = last == (stamp_ns, record.data)
            marks.append(Recorded(record.log_ns, stamp_ns, repeats=repeats))
            last = stamp_ns, record.data
        if not marks:
            raise BagError(
                f'{self.path}: topic {self.image_topic} has no images; record again, or name '
                f'another topic'
            )
        broken.total = len(marks)
        broken.refuse_all(self.path)
        self.broken, self._broken_text = broken.count, broken.text()
        self._log_ns, self._stamps_ns = np.array(times, np.int64).reshape(-1, 2).T
        return marks

    @property
    def source(self) -> str:
        """Give the path of the bag."""
        return str(self.path)

    @property
    def lacks(self) -> str | None:
        """Say what the recording lacks, see :class:`~..bags.BagReader`."""
        return '; '.join(filter(None, self._lacks)) or None

    def _take_truth(
        self, truth: TruthMessages | None, marks: Sequence[Recorded], labels: Sequence[str] | None,
        tolerance_ns: int,
    ) -> None:
        """Join truth and images."""
        names = truth.names if truth else []
        self.labels, index = label_indices(names, labels, f'{self.path} {self.truth_topic}')
        truths = [Truth(annotated=False)] * len(self)
        if truth is not None:
            found, notes = truth.truths(marks, index, tolerance_ns)
            truths = [truth for truth, mark in zip(found, marks) if mark.is_whole]
            self._lacks += [truth.broken.text(), *notes]
        self.unmatched = sum(not truth.annotated for truth in truths)
        self._truth = PackedTruth.pack(truths)

    def number(self, labels: Sequence[str]) -> None:
        """
        Number the truth by another list of class names.

        :raises ValueError: if the truth has classes foreign to it.
        """
        self.labels, index = label_indices(self.labels, labels, f'{self.path} {self.truth_topic}')
        if index:
            places = np.array(list(index.values()), np.int64)
            self._truth = replace(self._truth, labels=places[self._truth.labels])

    def _forget_position(self) -> None:
        self._bag: BagReader | None = None
        self._images: Iterator[tuple[int, Any]] = iter(())
        self._next = len(self._stamps_ns)
        self._pid = -1
        self._last: tuple[int, Any] | None = None

    def release(self) -> None:
        """Close the bag, and let go of the last image."""
        bag = self._bag
        self._forget_position()
        if bag is not None:
            bag.close()

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
        self._images = self._bag.messages(
            self.image_topic, start_ns=start_ns, on_broken=_pass_over
        )
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

    def encoded(self, index: int) -> tuple[str, bytes] | None:
        """Return a compressed image as it is in the bag, if it needs no ``format`` beside it."""
        if self._image_type != COMPRESSED_IMAGE:
            return None
        message = self._message(index)
        if not CompressedFormat.parse(message.format).is_plain:
            return None
        data = bytes(message.data)
        kind = file_kind(data)
        return (kind, data) if kind else None

    def truth(self, index: int) -> Truth:
        """Return an image's objects; boxes as they stand in the bag."""
        return self._truth[index]

    def image_id(self, index: int) -> int:
        """Count from ``first_image_id``."""
        return self.first_image_id + index

    def stamp_ns(self, index: int) -> int:
        """Return the stamp in the image's header."""
        return int(self._stamps_ns[index])

    def recorded_ns(self, index: int) -> int:
        """Return the time of recording."""
        return int(self._log_ns[index])


def _pass_over(record: Record, error: MessageError) -> None:
    """Say nothing: it was named when the clip was opened."""


def _rate(times_ns: NDArray[np.int64]) -> float | None:
    """Images a second; None if the times stand still."""
    steps = np.diff(times_ns)
    return 1e9 / float(np.median(steps[steps > 0])) if (steps > 0).any() else None


def load_rosbag(
    path: str | Path, image_topic: str | None = None, truth_topic: str | None = None,
    labels: Sequence[str] | None = None, tolerance_ns: int = TOLERANCE_NS,
    on_bad: Callable[[Path, Exception], None] | None = None,
) -> ClipDataset:
    """
    Load a bag, or every bag of a folder, as clips.

    :param labels: class names to number the truth by; without them all names in the bags,
        sorted.
    :param tolerance_ns: see :class:`RosbagClip`.
    :param on_bad: called with each bag that cannot be used, which is then left out; without it the
        first such bag raises.
    :raises FileNotFoundError: if there is no bag.
    :raises BagError: for a bag that cannot be used, or if none can.
    :raises ValueError: if the truth has classes foreign to ``labels``.
    """
    clips: list[RosbagClip] = []
    bags = find_bags(path)
    for number, bag in enumerate(bags):
        try:
            clips.append(RosbagClip(
                bag, image_topic, truth_topic, labels, number * IDS_A_BAG, tolerance_ns
            ))
        except (ValueError, OSError) as error:
            if on_bad is None:
                raise
            on_bad(bag, error)
    if not clips:
        raise BagError(f'{path}: none of its {len(bags)} bags can be used; see above')
    if labels is None:
        labels = tuple(sorted({name for clip in clips for name in clip.labels}))
        for clip in clips:
            clip.number(labels)
    return ClipDataset(clips[0].labels, clips)
