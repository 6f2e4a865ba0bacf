"""From what was collected to the record of a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from ..config import StreamConfig
from ..data.base import Clip
from ..evaluation.provenance import unfinished_origin
from ..evaluation.result import make_record
from ..evaluation.run import latency
from ..policies.table import decisions
from ..records.evaluation import Provenance, Replay
from .collector import Collector
from .recording import Recording


def replay_origin(
    bag: str, detected: Provenance, clips: Iterable[Clip], config: StreamConfig, live: bool,
    lossless: bool, rate: float, loop: int, written: float,
) -> Provenance:
    """
    Say what was replayed, and how.

    :param detected: what detected, see :func:`~forecast_detector.evaluation.provenance.origin`.
    :param written: score below which detections were not written.
    """
    asked = decisions(config.policy.value, config.p, config.read_every, {})
    return {
        'dataset': 'rosbag', 'root': bag, **detected, 'mode': 'live' if live else 'offline',
        'lossless': lossless or not live, 'rate': rate if live else None,
        'loop': loop, 'stride': 1, 'written_score_threshold': written, **asdict(config),
        # As evaluate says it: null where the policy does not ask for it.
        'p': asked['p'], 'read_every': asked['read_every'],
    } | unfinished_origin(clips)


def make_replay(
    recording: Recording, collector: Collector, labels: Sequence[str],
    provenance: Provenance, note: Callable[[str], None],
) -> Replay:
    """
    Score what was collected.

    :param provenance: weights, bag, options …, kept with the figures.
    :param note: called with what is missing, such as COCO's library.
    :raises RuntimeError: if no image was answered.
    """
    runs, _ = collector.runs()
    topics = collector.topics()
    frames = sum(topic.frames for topic in topics.values())
    if not runs:
        raise RuntimeError(f'{recording.path}: none of {frames} images was answered')
    return make_record(
        Replay, collector.scored(), labels, latency(runs), note, frames=frames,
        clips=len(collector.turns), provenance=provenance, topics=topics,
    )
