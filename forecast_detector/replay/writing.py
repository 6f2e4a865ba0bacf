"""The bag of a replay: detections and decisions beside the images, as the node publishes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from ..bags import BagReader, BagWriter, Record
from ..bags.closing import Closing
from ..bags.writer import Storage
from ..types import StepFailure
from .answers import Answer
from .recording import Recording

LABEL_INFO_TOPIC = '/label_info'


class AnswerWriter(Closing):
    """
    Writes answers on the topics that the node publishes them on, and the latched class names.

    The time of recording of an answer is that of its image.
    """

    def __init__(
        self, path: str | Path, recording: Recording, labels: Sequence[str], threshold: float,
        storage: Storage = 'mcap', turns: int = 1, with_images: bool = False,
    ) -> None:
        """
        Make the bag.

        :param threshold: weaker detections are left out.
        :param turns: how often the bag is played.
        :param with_images: copy images and truth, too, as they were recorded.
        :raises FileExistsError: if there is something at ``path``.
        """
        self._bag = BagWriter(path, storage)
        self._cameras, self._labels, self._threshold = recording.cameras, labels, threshold
        self._copies = _copies(recording, turns) if with_images else iter(())
        self._next = next(self._copies, None)
        self._is_empty = True

    def write(self, answer: Answer) -> None:
        """Write the answers to one image; for an unusable image there are none."""
        self._copy_until(answer.log_ns)
        if isinstance(answer.outcome, StepFailure):
            return
        if self._is_empty:
            self._bag.label_info(
                LABEL_INFO_TOPIC, self._labels, self._threshold, 0, log_ns=answer.log_ns
            )
            self._is_empty = False
        topics, result = self._cameras[answer.topic], answer.outcome
        self._bag.detections(
            topics.detections, result.detections.above(self._threshold), self._labels,
            result.stamp_ns, answer.frame_id, log_ns=answer.log_ns,
        )
        self._bag.decision(
            topics.decision, result.decision, result.stamp_ns, answer.frame_id,
            log_ns=answer.log_ns,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the bag; after an error what is left to copy is not worth the wait."""
        if error is not None:
            self._next = None
        self.close()

    def close(self) -> None:
        """Copy what is left, and finish the bag."""
        try:
            self._copy_until(None)
        finally:
            self._bag.close()

    def _copy_until(self, log_ns: int | None) -> None:
        while self._next is not None and (log_ns is None or self._next[0] <= log_ns):
            time_ns, record = self._next
            self._bag.write_raw(record.topic, record.msgtype, record.data, time_ns)
            self._next = next(self._copies, None)


def _copies(recording: Recording, turns: int) -> Iterator[tuple[int, Record]]:
    """Read the images and their truth again, with the times of every turn."""
    topics = list(recording.cameras)
    topics += {clip.truth_topic: None for clip in recording.clips.values() if clip.truth_topic}
    for turn in range(turns):
        with BagReader(recording.path) as bag:
            for record in bag.records(topics):
                yield record.log_ns + turn * recording.period_ns, record
