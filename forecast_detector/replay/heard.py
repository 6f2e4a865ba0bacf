"""What the player heard, on disk between its process and the command that started it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import json
from pathlib import Path
from typing import Any

from ..bags import BagReader, BagWriter, Record
from ..bags.messages import COMPRESSED_IMAGE, DECISION, DETECTIONS
from ..bags.parsing import decision_of, detections_of
from ..topics import TRANSPORT
from ..types import StepResult
from ..writing import write_whole
from .answers import Answer
from .matching import Matcher, SentImage
from .recording import Recording

TYPES = {'detections': DETECTIONS, 'decision': DECISION}


def played_topic(topic: str, kind: str) -> str:
    """
    Name the topic that a recorded one is played on: the detector goes by its end.

    :param kind: type of its messages.
    :raises ValueError: for raw images on a topic that names compressed ones.
    """
    is_named_so = topic.endswith(TRANSPORT)
    if kind == COMPRESSED_IMAGE:
        return topic if is_named_so else topic + TRANSPORT
    if is_named_so:
        raise ValueError(
            f'{topic} carries {kind}, but a topic that ends in {TRANSPORT} is taken for '
            f'compressed images; record it under another name, or replay it offline'
        )
    return topic


class HeardWriter:
    """
    A folder with ``bag/`` (the answers, as they came) and ``shots.jsonl`` (to which images).

    Both grow on disk, not in memory.
    """

    def __init__(self, folder: Path) -> None:
        """
        Make the folder.

        :raises FileExistsError: if there is a bag already.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._count = folder, 0
        self._bag = BagWriter(folder / 'bag')
        self._shots = (folder / 'shots.jsonl').open('w', encoding='utf-8')

    def write(self, shot: SentImage, heard_s: float) -> None:
        """
        Write the answers to an image.

        :param heard_s: when the second one came, monotonic seconds.
        """
        for part, data in shot.heard.items():
            # Numbered, not timed: they are read in the order that they came in.
            self._bag.write_raw(f'{shot.topic}/{part}', TYPES[part], data, self._count)
        self._count += 1
        answer_ms = (heard_s - shot.sent_s) * 1e3
        row = (shot.topic, shot.turn, shot.index, shot.log_ns, answer_ms)
        self._shots.write(json.dumps(row) + '\n')

    def close(self, counters: Mapping[str, Mapping[str, int]]) -> None:
        """
        Finish the files.

        :param counters: the node's last ones, by image topic.
        """
        self._bag.close()
        self._shots.close()
        write_whole(self._folder / 'counters.json', json.dumps(counters))


def write_live(folder: Path, matcher: Matcher) -> None:
    """Tell how it goes, for whoever watches; the file is replaced at once."""
    live = {'images': sum(matcher.sent.values()), 'answers': sum(matcher.answered.values())}
    write_whole(folder / 'live.json', json.dumps(live), durable=False)


def read_counters(folder: Path) -> dict[str, dict[str, int]]:
    """Read the node's last counters, by image topic."""
    counters: dict[str, dict[str, int]] = json.loads((folder / 'counters.json').read_text())
    return counters


def read_heard(folder: Path, recording: Recording, labels: Sequence[str]) -> Iterator[Answer]:
    """
    Read the answers in the order that they came in.

    :param labels: the weights' class names.
    """
    with BagReader(folder / 'bag') as bag, (folder / 'shots.jsonl').open() as shots:
        records = bag.records(sorted(bag.topics))
        for line, first in zip(shots, records):
            topic, turn, index, log_ns, answer_ms = json.loads(line)
            messages = _parts(first, next(records))
            header = messages['decision'].header
            result = StepResult(
                recording.clips[topic].stamp_ns(index),
                detections_of(messages['detections'], list(labels)),
                decision_of(messages['decision']),
            )
            log_ns += turn * recording.period_ns
            yield Answer(topic, turn, index, log_ns, header.frame_id, result, answer_ms)


def _parts(*records: Record) -> dict[str, Any]:
    return {record.topic.rpartition('/')[2]: record.message() for record in records}
