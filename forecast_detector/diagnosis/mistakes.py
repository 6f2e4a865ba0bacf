"""What becomes of each class's objects: found, taken for another class, or missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..boxes import iou
from ..data.base import Truth
from ..evaluation.rollout import run_settings, Setting
from ..evaluation.run import Done, ignore
from ..evaluation.store import FeatureStore
from ..policies.detector import evaluation_config
from ..records.diagnosis import ClassMistakes
from ..scoring.matching import in_crowd, Rule
from ..types import Detections, Policy
from .splices import FOUND_IOU, FOUND_SCORE


@dataclass
class Tally:
    """Counts of one class so far."""

    objects: int = 0
    right: int = 0
    missed: int = 0
    taken_for: Counter[str] = field(default_factory=Counter)
    alarms: int = 0

    def record(self, label: str) -> ClassMistakes:
        """Give the result, the most frequent mistake first."""
        return ClassMistakes(label, self.objects, self.right, self.missed,
                             dict(self.taken_for.most_common()), self.alarms)


def find_mistakes(
    store: FeatureStore, labels: Sequence[str], done: Done = ignore
) -> list[ClassMistakes]:
    """
    Count what becomes of all objects, by detections of ``FOUND_SCORE`` and ``FOUND_IOU``.

    :param labels: class names, by label index.
    :returns: classes that occur or are seen, in the order of the labels.
    """
    classes = [Tally() for _ in labels]
    setting = Setting(evaluation_config(Policy.READ))
    for clip, run in zip(store.clips, run_settings(store, [setting], done)[0]):
        for index, step in enumerate(run.steps):
            truth = clip.truth(index)
            if truth.annotated:
                count(step.detections.above(FOUND_SCORE), truth, classes, labels)
    return [one.record(label) for one, label in zip(classes, labels) if one.objects or one.alarms]


def count(
    found: Detections, truth: Truth, classes: Sequence[Tally], labels: Sequence[str]
) -> None:
    """Count what becomes of the objects of one frame, and what is seen where there is none."""
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
