"""From what was collected to the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..evaluation.result import EvaluationResult
from ..evaluation.run import latency
from ..scoring.coco import map50_95
from ..scoring.metrics import evaluate
from .recording import Recording
from .report import Collector, ReplayReport


def make_report(
    recording: Recording, collector: Collector, labels: Sequence[str],
    provenance: dict[str, Any], note: Callable[[str], None],
) -> ReplayReport:
    """
    Score what was collected.

    :param provenance: weights, bag, options …, kept with the figures.
    :param note: told what is missing, such as COCO's library.
    :raises RuntimeError: if no image was answered.
    """
    runs, _ = collector.runs()
    topics = collector.topics()
    frames = sum(topic.frames for topic in topics.values())
    if not runs:
        raise RuntimeError(f'{recording.path}: none of {frames} images was answered')
    scored = collector.scored()
    try:
        coco = map50_95(scored, labels)
    except RuntimeError as error:
        note(str(error))
        coco = None
    result = EvaluationResult(
        evaluate(scored, labels), frames, len(collector.turns), coco, None, latency(runs), None,
        provenance,
    )
    return ReplayReport(result, topics)
