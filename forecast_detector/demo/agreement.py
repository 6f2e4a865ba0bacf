"""How well the answers of a demo agree with reading every frame, with the same weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.rosbag import RosbagClip
from ..engine import StreamingDetector
from ..evaluation.reference import as_truths
from ..scoring.judging import judge, Judging
from ..scoring.metrics import ScoredClip
from ..types import Detections, StepFailure
from .summary import as_detections

STREAM = 'reference'
# An object is there if reading gives it this score; as for --reference read.
REFERENCE_SCORE = 0.4


def read_every_frame(
    clip: RosbagClip, detector: StreamingDetector, say: Callable[[str], None]
) -> list[Detections | None]:
    """
    Read the images of a recording; None for one that cannot be used.

    :param detector: of the policy ``read``.
    :param say: given the progress.
    """
    found: list[Detections | None] = []
    for index in range(len(clip)):
        outcome = detector.step({STREAM: clip.frame(index)})[STREAM]
        found.append(None if isinstance(outcome, StepFailure) else outcome.detections)
        say(f'reading every frame to compare with: {index + 1} of {len(clip)}')
    return found


def agreement50(
    answers: Sequence[Mapping[str, Any]], bag: Path, topic: str, detector: StreamingDetector,
    say: Callable[[str], None],
) -> float | None:
    """
    Average precision at IoU 0.5 over the answered frames, against what reading every one gives.

    :param answers: of the recorder, see :func:`~.summary.read_numbers`.
    :param bag: what it recorded; ``topic``: of the images.
    :param detector: of the same weights and policy ``read``.
    :param say: given the progress.
    :returns: None where reading sees nothing. Images that share a stamp are not judged: nobody
        knows whose answer is whose.
    """
    clip = RosbagClip(bag, topic, truth_topic='')
    truths = as_truths(read_every_frame(clip, detector, say), REFERENCE_SCORE)
    clip.release()
    given = {answer['stamp_ns']: answer['objects'] for answer in answers}
    stamps_ns = [clip.stamp_ns(index) for index in range(len(clip))]
    times = Counter(stamps_ns)
    pairs = [
        (as_detections(given[stamp_ns], detector.labels), truth)
        for truth, stamp_ns in zip(truths, stamps_ns)
        if stamp_ns in given and times[stamp_ns] == 1 and truth.annotated
    ]
    if not pairs:
        return None
    judged = judge([ScoredClip('demo', *map(list, zip(*pairs)))], detector.labels,
                   Judging(reading=REFERENCE_SCORE))
    return judged.metrics.agreement50
