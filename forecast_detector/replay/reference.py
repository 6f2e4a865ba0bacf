"""What reading every image of a recording gives, to judge a replay by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..data.views import JudgedClip
from ..evaluation.reference import as_truths
from ..types import Detections, StepFailure
from .answers import Answer
from .recording import Recording


def with_reference(
    recording: Recording, read: Iterable[Answer], score: float
) -> Recording:
    """
    Put what reading gives in the place of the truth.

    An image that cannot be used is not judged.

    :param read: answers of a detector that reads every image, of one turn.
    :param score: weaker detections are left out.
    """
    found: dict[str, list[Detections | None]] = {
        topic: [None] * len(clip) for topic, clip in recording.clips.items()
    }
    for answer in read:
        if not isinstance(answer.outcome, StepFailure):
            found[answer.topic][answer.index] = answer.outcome.detections.above(score)
    return replace(recording, references={
        topic: JudgedClip(clip, as_truths(found[topic], score))
        for topic, clip in recording.clips.items()
    })
