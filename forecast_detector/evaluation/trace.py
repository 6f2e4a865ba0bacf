"""
The trace of a run: what was decided frame by frame, with a few pictures.

The report is built from it. Numbers grow with the frames, a few dozen bytes each; pictures do
not: their number and size are bounded, and one is decoded at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
import math

from ..data.base import Clip
from ..engine import StreamingDetector
from ..policies.step import Step
from ..records.trace import ACTIONS, Picture, Trace, TracedClip, TracedFrame
from ..scoring.frame_loss import frame_loss
from ..types import Action
from .forecast_error import show_errors
from .pictures import show_frame, spread
from .run import ClipRun

TIMELINE_CLIPS, TIMELINE_FRAMES = 4, 6
WORST_FRAMES = 8
# Frames so near to each other show the same thing.
WORST_APART = 15


def make_trace(
    runs: Sequence[ClipRun], clips: Sequence[Clip], labels: Sequence[str],
    detector: StreamingDetector | None = None, p: float | None = None,
) -> Trace:
    """
    Take down a run for the report.

    A frame that is not annotated has no loss (null) and is no worst case.

    :param clips: the clips of the runs, in the same order; a few of their images are decoded.
    :param detector: measures forecast errors for heat maps, too; it is stepped over the first
        frames of two clips, under the scheduler and under ``alternate``. None: no heat maps.
    :param p: of the scheduler there, None for that of the detector's configuration.
    :raises ValueError: if runs and clips do not go together.
    """
    check(runs, clips)
    losses = [_losses(run, clip) for run, clip in zip(runs, clips)]
    pictures = _timeline(runs, clips, labels) + _worst(runs, clips, labels, losses)
    shown, errors = show_errors(detector, clips, p) if detector is not None else ([], [])
    traced = [
        TracedClip(clip.name, _frames(run, clip, values))
        for run, clip, values in zip(runs, clips, losses)
    ]
    return Trace(traced, pictures + shown, errors)


def check(runs: Sequence[ClipRun], clips: Sequence[Clip]) -> None:
    """
    See that runs and clips go together.

    :raises ValueError: if their numbers, names or lengths differ.
    """
    got = [(run.name, len(run.steps)) for run in runs]
    expected = [(clip.name, len(clip)) for clip in clips]
    if got != expected:
        differ = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b),
                      min(len(got), len(expected)))
        raise ValueError(
            f'a trace takes one run a clip, one step a frame: {len(got)} runs and '
            f'{len(expected)} clips differ first at number {differ}: '
            f'{got[differ:differ + 1]} against {expected[differ:differ + 1]} (name, frames)'
        )


def _losses(run: ClipRun, clip: Clip) -> list[float | None]:
    truths = (clip.truth(index) for index in range(len(clip)))
    return [
        frame_loss(step.detections, truth) if truth.annotated else None
        for step, truth in zip(run.steps, truths)
    ]


def _frames(run: ClipRun, clip: Clip, losses: Sequence[float | None]) -> list[TracedFrame]:
    return [
        TracedFrame(
            stamp_ns=clip.stamp_ns(index), action=ACTIONS[step.action],
            reason=step.reason.name if step.reason is not None else None,
            confidence=round(step.confidence, 6) if math.isfinite(step.confidence) else None,
            latency_ms=round(step.latency_ms, 4),
            loss=round(loss, 4) if loss is not None else None, detections=len(step.detections),
        )
        for index, (step, loss) in enumerate(zip(run.steps, losses))
    ]


def ages(steps: Sequence[Step]) -> list[int]:
    """Count the frames since the last READ, 0 on a READ."""
    result: list[int] = []
    for step in steps:
        result.append(0 if step.action is Action.READ else (result[-1] if result else 0) + 1)
    return result


def _timeline(
    runs: Sequence[ClipRun], clips: Sequence[Clip], labels: Sequence[str]
) -> list[Picture]:
    """Show some clips at even distances, READs and old forecasts in turn."""
    pictures = []
    long = [at for at, clip in enumerate(clips) if len(clip) >= TIMELINE_FRAMES]
    chosen = long or range(len(clips))
    for at in (chosen[k] for k in spread(len(chosen), TIMELINE_CLIPS)):
        steps, age = runs[at].steps, ages(runs[at].steps)
        for index in _examples(age):
            pictures.append(show_frame(
                'timeline', clips[at], index, steps[index], age[index], labels
            ))
    return [picture for picture in pictures if picture is not None]


def _examples(age: Sequence[int]) -> list[int]:
    """Choose a frame in each stretch of a clip: its middle READ, or its oldest forecast."""
    wanted = min(TIMELINE_FRAMES, len(age))
    chosen = []
    for k in range(wanted):
        stretch = range(k * len(age) // wanted, (k + 1) * len(age) // wanted)
        reads = [i for i in stretch if age[i] == 0]
        oldest = max(stretch, key=lambda i: age[i])
        chosen.append(reads[len(reads) // 2] if reads and k % 2 == 0 else oldest)
    return chosen


def _worst(
    runs: Sequence[ClipRun], clips: Sequence[Clip], labels: Sequence[str],
    losses: Sequence[Sequence[float | None]],
) -> list[Picture]:
    """Show the frames of highest loss, not two of the same moment, of many clips."""
    order = sorted(
        (
            (loss, at, index)
            for at, values in enumerate(losses) for index, loss in enumerate(values) if loss
        ),
        key=lambda entry: (-entry[0], entry[1:]),
    )
    chosen: list[Picture] = []
    seen: list[tuple[int, int]] = []
    a_clip = -(-WORST_FRAMES // max(1, len(clips)))
    for loss, at, index in order:
        same = [i for clip, i in seen if clip == at]
        if len(chosen) == WORST_FRAMES:
            break
        if len(same) >= a_clip or any(abs(i - index) < WORST_APART for i in same):
            continue
        seen.append((at, index))
        picture = show_frame(
            'worst', clips[at], index, runs[at].steps[index], ages(runs[at].steps)[index],
            labels, clips[at].truth(index), loss,
        )
        if picture is not None:
            chosen.append(picture)
    return chosen
