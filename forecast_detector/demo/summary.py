"""From the recorder's numbers to the summary and the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..data.base import Truth
from ..records.detect import DemoStepTimes, DemoSummary, DemoTimes
from ..scoring.judging import judge
from ..scoring.metrics import ScoredClip
from ..types import Action, Detections
from .counts import Counts, counts_of

# Where fewer of the frames than this share are answered, that is said.
MANY = 0.5


def read_numbers(path: Path) -> dict[str, Any]:
    """
    Read what the recorder wrote.

    :returns: ``images`` (count), ``answers`` (one a decision: ``action``, ``reason``,
        ``inference_ms``, ``objects``, ``truth``; of a camera the last ones), ``counts`` (of all
        answers, see :class:`~.counts.Counts`); an object is [x1, y1, x2, y2, score, class].
    """
    numbers: dict[str, Any] = json.loads(path.read_text())
    return numbers


def counted(numbers: Mapping[str, Any]) -> Counts:
    """Give the counts of all answers."""
    if 'counts' in numbers:
        return Counts(**numbers['counts'])
    return counts_of(numbers['answers'], numbers['shown_score'])


def as_detections(objects: Sequence[Sequence[Any]], labels: Sequence[str]) -> Detections:
    """
    Make detections of the objects of an answer.

    :param labels: class names to number them by.
    """
    return Detections(*_columns(objects, labels))


def _columns(
    objects: Sequence[Sequence[Any]], labels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    boxes = np.array([o[:4] for o in objects], np.float32).reshape(-1, 4)
    scores = np.array([o[4] for o in objects], np.float32)
    indices = np.array([labels.index(o[5]) for o in objects], np.int64)
    return boxes, scores, indices


def map50(answers: Sequence[Mapping[str, Any]]) -> float | None:
    """
    Mean average precision at IoU 0.5 over the answered frames; None without truth.

    Classes are matched by name: weights and truth may number them differently.
    """
    judged = [answer for answer in answers if answer['truth'] is not None]
    names = sorted({o[5] for a in judged for o in [*a['objects'], *a['truth']]})
    if not judged or not names:
        return None
    detections = [as_detections(a['objects'], names) for a in judged]
    truths = []
    for answer in judged:
        boxes, _, labels = _columns(answer['truth'], names)
        truths.append(Truth(boxes, labels, np.full(len(labels), -1, np.int64)))
    return judge([ScoredClip('demo', detections, truths)], names).metrics.map50


def latencies(answers: Sequence[Mapping[str, Any]], action: Action) -> DemoTimes:
    """Median and 95th percentile of the steps with this action, milliseconds."""
    times = [a['inference_ms'] for a in answers if a['action'] == action]
    if not times:
        return DemoTimes()
    return DemoTimes(*(round(float(np.percentile(times, share)), 3) for share in (50, 95)))


def thin(images: int, answered: int) -> str:
    """Say that figures of the answered frames tell little of all; '' where those are many."""
    if answered >= MANY * images:
        return ''
    return (
        f'only {answered} of {images} frames were answered: the machine is slow, or has other '
        'work; figures of so few say little. `forecast-detector replay` answers every frame'
    )


def summarise(
    numbers: Mapping[str, Any], source: str, weights: str, p: float,
    agreement50: float | None = None,
) -> DemoSummary:
    """
    Sum up, for ``summary.json``.

    :param agreement50: see :func:`~.agreement.agreement50`; None where it was not computed.
    """
    answers = numbers['answers']
    counts = counted(numbers)
    precision = map50(answers)
    return DemoSummary(
        source, weights, p, numbers['images'], counts.read, counts.forecast,
        numbers['images'] - counts.answers,
        None if precision is None else round(precision, 4),
        None if agreement50 is None else round(agreement50, 4),
        DemoStepTimes(latencies(answers, Action.READ), latencies(answers, Action.FORECAST)),
        thin(numbers['images'], counts.answers),
    )


def table(summary: DemoSummary, numbers: Mapping[str, Any]) -> str:
    """Lay the summary out for people."""
    counts = counted(numbers)
    rows = [
        ('source', summary.source),
        ('weights, p', f'{summary.weights}, {summary.p:g}'),
        ('frames', f'{summary.frames} ({summary.dropped} dropped)'),
    ]
    for name, count, times in (
        ('READ', summary.read, summary.latency_ms.read),
        ('FORECAST', summary.forecast, summary.latency_ms.forecast),
    ):
        text = f'{count}'
        if count:
            share = count / max(1, counts.answers)
            text += f' ({share:.0%})'
        if times.p50 is not None:
            text += f', {times.p50:.1f} ms median, {times.p95:.1f} ms p95'
        rows.append((name, text))
    rows.append(('resets', str(counts.resets)))
    rows.append(('objects boxed',
                 f'{counts.objects} with a score of at least {numbers["shown_score"]:g}'))
    if summary.map50 is not None:
        rows.append(('mAP@0.5', f'{summary.map50:.3f} of the answered frames'))
    if summary.agreement50 is not None:
        rows.append(('agreement@0.5', f'{summary.agreement50:.3f} of the answered frames with '
                                      'reading every one'))
    if summary.note:
        rows.append(('note', summary.note))
    return '\n'.join(f'  {name:<14}{text}' for name, text in rows)
