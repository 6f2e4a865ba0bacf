"""From the results of a stream to the record of ``detect``."""

from __future__ import annotations

from collections.abc import Sequence
import math

from ..config import StreamConfig
from ..policies.table import decisions
from ..records.detect import DetectedClip, DetectedFrame, FoundObject
from ..records.trace import ACTIONS
from ..types import StepResult


def frame_record(index: int, result: StepResult, labels: Sequence[str]) -> DetectedFrame:
    """Take down what a frame gave."""
    found, decision = result.detections, result.decision
    confidence = decision.confidence
    ids = [None] * len(found) if found.ids is None else found.ids.tolist()
    return DetectedFrame(
        index, result.stamp_ns, ACTIONS[decision.action], decision.reason.name,
        None if math.isnan(confidence) else confidence, decision.inference_ms,
        [
            FoundObject(labels[label], float(score), (x0, y0, x1, y1), number)
            for (x0, y0, x1, y1), score, label, number in zip(
                found.boxes.tolist(), found.scores, found.labels, ids)
        ],
    )


def clip_record(
    source: str, weights: str, sha256: str, config: StreamConfig, labels: Sequence[str],
    skipped: int, frames: Sequence[DetectedFrame],
) -> DetectedClip:
    """Sum up the frames of a clip; ``skipped`` counts those that could not be used."""
    asked = decisions(config.policy.value, config.p, config.read_every, {})
    read = sum(frame.action == 'READ' for frame in frames)
    return DetectedClip(
        source, weights, sha256, asked['p'], list(labels), read, len(frames) - read, skipped,
        list(frames), policy=asked['policy'], read_every=asked['read_every'])
