"""What a replay gives, image by image, and the offline way to get it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..bags import BagReader
from ..bags.reader import frame_from_message, MessageError, parsed, Record
from ..types import StepFailure, StepResult
from .recording import Recording

if TYPE_CHECKING:  # the player needs no network
    from ..engine import StreamingDetector


@dataclass(frozen=True)
class Answer:
    """
    What became of one image.

    :ivar topic: image topic.
    :ivar turn: how often the bag was played before, where it is looped.
    :ivar index: of the image among those of its topic, the same in every turn.
    :ivar log_ns: time of recording of the image, later by a period with every turn.
    :ivar frame_id: of the image's header.
    :ivar answer_ms: live, from publishing the image to hearing its answers.
    """

    topic: str
    turn: int
    index: int
    log_ns: int
    frame_id: str
    outcome: StepResult | StepFailure
    answer_ms: float | None = None


def _pass_over(record: Record, error: MessageError) -> None:
    """Say nothing: it was named when the recording was opened."""


def answer_offline(
    recording: Recording, detector: StreamingDetector, turns: int = 1
) -> Iterator[Answer]:
    """
    Step every image of a bag through the detector, in the order of recording.

    Each camera is a stream of its own. An image is held only while it is stepped. Messages that
    cannot be read are no images, as in the clips of the recording.

    :param turns: how often the bag is played; stamps go back at its beginning, as they do live.
    :raises BagError: if the bag is damaged.
    """
    for turn in range(turns):
        counts: Counter[str] = Counter()
        with BagReader(recording.path) as bag:
            for record, message in parsed(bag.records(list(recording.cameras)), _pass_over):
                index = counts[record.topic]
                counts[record.topic] += 1
                where = f'{recording.path} {record.topic} image {index}'
                frame = frame_from_message(message, record.msgtype, where)
                outcome = detector.step({record.topic: frame})[record.topic]
                log_ns = record.log_ns + turn * recording.period_ns
                yield Answer(record.topic, turn, index, log_ns, frame.frame_id, outcome)
