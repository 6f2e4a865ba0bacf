"""From what was collected to the record of a replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..evaluation.result import make_record
from ..evaluation.run import latency
from ..records.evaluation import Provenance, Replay
from ..scoring.judging import BY_TRUTH, Judging
from .collector import Collector
from .recording import Recording


def make_replay(
    recording: Recording, collector: Collector, labels: Sequence[str],
    provenance: Provenance, note: Callable[[str], None], judging: Judging = BY_TRUTH,
) -> Replay:
    """
    Score what was collected.

    :param provenance: weights, bag, options …, kept with the figures.
    :param note: told what is missing, such as COCO's library.
    :param judging: what is judged by.
    :raises RuntimeError: if no image was answered.
    """
    runs, _ = collector.runs()
    topics = collector.topics()
    frames = sum(topic.frames for topic in topics.values())
    if not runs:
        raise RuntimeError(f'{recording.path}: none of {frames} images was answered')
    return make_record(
        Replay, collector.scored(), labels, latency(runs), note, judging, frames=frames,
        clips=len(collector.turns), provenance=provenance, topics=topics,
    )
