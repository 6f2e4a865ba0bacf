"""What becomes of each class's objects: found, taken for another class, or missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..boxes import iou
from ..data.base import Truth
from ..evaluation.rollout import run_settings, Setting
from ..evaluation.run import Done, ignore
from ..evaluation.store import FeatureStore
from ..policies.detector import evaluation_config
from ..scoring.matching import in_crowd, Rule
from ..types import Detections, Policy
from .splices import FOUND_IOU, FOUND_SCORE


@dataclass
class ClassMistakes:
    """
    What becomes of the objects of one class, every frame read.

    An object is what its surest detection (any class, ``FOUND_SCORE``, ``FOUND_IOU``) says.

    :ivar objects: in all annotated frames; one object counts in each of its frames.
    :ivar right: named rightly.
    :ivar missed: without a detection.
    :ivar taken_for: label to how often they were named so.
    :ivar alarms: detections of this class (``FOUND_SCORE``) that lie on no object.
    """

    label: str
    objects: int = 0
    right: int = 0
    missed: int = 0
    taken_for: Counter[str] = field(default_factory=Counter)
    alarms: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the most frequent mistake first."""
        return {**asdict(self), 'taken_for': dict(self.taken_for.most_common())}


def find_mistakes(
    store: FeatureStore, labels: Sequence[str], done: Done = ignore
) -> list[ClassMistakes]:
    """
    Count what becomes of all objects.

    :param labels: class names, by label index.
    :returns: classes that occur or are seen, in the order of the labels.
    """
    classes = [ClassMistakes(label) for label in labels]
    setting = Setting(evaluation_config(Policy.READ))
    for clip, run in zip(store.clips, run_settings(store, [setting], done)[0]):
        for index, step in enumerate(run.steps):
            truth = clip.truth(index)
            if truth.annotated:
                _count(step.detections.above(FOUND_SCORE), truth, classes, labels)
    return [one for one in classes if one.objects or one.alarms]


def _count(
    found: Detections, truth: Truth, classes: Sequence[ClassMistakes], labels: Sequence[str]
) -> None:
    overlaps = iou(truth.boxes, found.boxes)
    elsewhere = ~(overlaps >= FOUND_IOU).any(axis=0) & ~in_crowd(found, truth, Rule.PLAIN)
    for label in found.labels[elsewhere].tolist():
        classes[label].alarms += 1
    for label, overlap in zip(truth.labels.tolist(), overlaps):
        one = classes[label]
        one.objects += 1
        near = overlap >= FOUND_IOU
        if not near.any():
            one.missed += 1
            continue
        name = int(found.labels[(found.scores * near).argmax()])
        if name == label:
            one.right += 1
        else:
            one.taken_for[labels[name]] += 1
