"""From what was detected to the record of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..records.evaluation import Evaluation, StepTimes
from ..scoring.coco import map50_95
from ..scoring.metrics import evaluate, ScoredClip
from .run import Latency

Record = TypeVar('Record', bound=Evaluation)


def make_record(
    kind: type[Record], scored: Sequence[ScoredClip], labels: Sequence[str],
    timed: Latency | None, note: Callable[[str], None], **about: Any,
) -> Record:
    """
    Score detections.

    :param kind: of the record.
    :param timed: None where detections were only scored again.
    :param note: called with what is missing, such as COCO's library.
    :param about: other fields of the record.
    """
    try:
        coco = map50_95(scored, labels)
    except RuntimeError as error:
        note(str(error))
        coco = None
    if timed is not None:
        about.update(
            read_share=timed.read_share, ms_per_frame=timed.ms_per_frame,
            latency_ms=StepTimes(timed.read_ms, timed.forecast_ms),
        )
    return kind(**{**vars(evaluate(scored, labels)), 'map50_95': coco, **about})
