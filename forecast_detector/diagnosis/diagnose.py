"""All that is said of weights, from features that were read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import json

from ..evaluation.run import Done, ignore
from ..evaluation.store import FeatureStore
from ..records.diagnosis import ClassMistakes, Cuts, Diagnosis
from ..scoring.judging import BY_TRUTH, Judging
from . import LABEL_IOU
from .classifier import judge
from .forecast_ratio import forecast_ratios
from .mistakes import find_mistakes
from .splices import NoCutError, run_splices
from .trials import run_trials

Say = Callable[[str], object]


def label_iou(info: Mapping[str, str]) -> float:
    """Find the overlap that the scheduler's labels asked for when these weights were trained."""
    try:
        return float(json.loads(info['recipe'])['temporal']['success_iou'])
    except (KeyError, TypeError, ValueError):
        return LABEL_IOU


def diagnose(
    store: FeatureStore, labels: Sequence[str], thresholds: Sequence[float],
    every: Sequence[int], ahead: int, success_iou: float, done: Done = ignore,
    say: Say = lambda text: None, judging: Judging = BY_TRUTH,
) -> tuple[Diagnosis, str]:
    """
    Examine the weights of a store.

    :param thresholds: p of the streams that are steered; ``every``: frames a READ of the fixed
        policies beside them at the cuts.
    :param ahead: forecasts in a row, at most.
    :param success_iou: overlap from which an object counts as found, (0, 1).
    :param say: called with what goes on.
    :param judging: what is judged by; the truth of the store's clips, or what stands there.
    :returns: what was found, and why there are no cuts ('' where there are some).
    """
    judged = []
    for p in [1.0, *(p for p in thresholds if p < 1.0)]:
        say(f'scheduler, p={p:g}')
        judged.append(judge(run_trials(store, p, success_iou, done), len(store.clips), p))
    say('forecasts')
    ratios = forecast_ratios(store, ahead, done)
    mistakes: list[ClassMistakes] = []
    if not judging.by_reading:  # which always agrees with itself
        say('classes')
        mistakes = find_mistakes(store, labels, done)
    say('cuts')
    cuts: list[Cuts] | None = None
    why = ''
    try:
        cuts = run_splices(store, labels, thresholds, every, done, judging)
    except NoCutError as error:
        why = str(error)
    return Diagnosis(
        classifier=judged, forecast_error=ratios, cuts=cuts, classes=mistakes,
        frames=sum(len(clip) for clip in store.clips),
    ), why
