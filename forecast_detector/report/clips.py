"""The parts of the page that come from traces: timelines, forecast errors, worst cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..policies.table import takes_p
from ..records.trace import ErrorCurve, Picture, TracedClip
from .errors import error_chart, summary
from .overlay import show, Shown
from .run import Run
from .timeline import highest_loss, strip

# With pictures, and after them without; the rest is only counted.
FOLDED_CLIPS = 100


@dataclass(frozen=True)
class ClipRow:
    """
    A clip in one run: its strip, and example frames if there are any.

    :ivar highest: loss that the room below the strip is for.
    """

    run: Run
    clip: TracedClip
    strip: Markup
    shown: list[Shown]
    highest: float | None


@dataclass(frozen=True)
class Timeline:
    """
    All clips, each with a row a run.

    :ivar open: name and rows of clips with example frames; ``folded``: of those without.
    :ivar more: how many clips are left out.
    :ivar losses: whether losses are drawn, ``confidences``: likewise.
    """

    open: list[tuple[str, list[ClipRow]]]
    folded: list[tuple[str, list[ClipRow]]]
    more: int
    losses: bool
    confidences: bool


@dataclass(frozen=True)
class ErrorPart:
    """
    A clip's forecast errors: a curve a policy, and its heat maps.

    :ivar rows: a policy, its mean in words, its maps.
    """

    clip: str
    chart: Markup | None
    rows: list[tuple[str, str, list[Shown]]]
    brightest: float


def all_clips(runs: Sequence[Run]) -> Timeline | None:
    """Set the strips of the same clip under each other."""
    clips: dict[str, list[tuple[Run, TracedClip]]] = {}
    for run in runs:
        for clip in run.result.trace.clips if run.result.trace else ():
            if clip.frames:
                clips.setdefault(clip.name, []).append((run, clip))
    rows = {name: _rows(own) for name, own in clips.items()}
    if not rows:
        return None
    bright = [(name, r) for name, r in rows.items() if any(row.shown for row in r)]
    folded = [(name, r) for name, r in rows.items() if not any(row.shown for row in r)]
    frames = [f for r in rows.values() for row in r for f in row.clip.frames]
    return Timeline(
        bright, folded[:FOLDED_CLIPS], max(0, len(folded) - FOLDED_CLIPS),
        any(f.loss is not None for f in frames), any(f.confidence is not None for f in frames),
    )


def _rows(clips: Sequence[tuple[Run, TracedClip]]) -> list[ClipRow]:
    """Draw what the runs made of one clip, losses to one scale."""
    losses = [loss for _, clip in clips if (loss := highest_loss(clip)) is not None]
    return [_row(run, clip, max(losses, default=None)) for run, clip in clips]


def _row(run: Run, clip: TracedClip, highest: float | None) -> ClipRow:
    pictures = _pictures(run, 'timeline', clip.name)
    origin = run.result.provenance
    threshold = origin.get('p') if takes_p(origin.get('policy')) else None
    p = float(threshold) if isinstance(threshold, (int, float)) else None
    begin = clip.frames[0].stamp_ns
    stamps = {k: (frame.stamp_ns - begin) / 1e9 for k, frame in enumerate(clip.frames)}
    marked = [picture.index for picture in pictures if picture.index < len(clip.frames)]
    return ClipRow(run, clip, strip(clip, p, marked, highest), [
        show(picture, f'{stamps[picture.index]:.2f} s' if picture.index in stamps else '')
        for picture in pictures
    ], highest)


def _pictures(run: Run, kind: str, clip: str | None = None) -> list[Picture]:
    pictures = run.result.trace.pictures if run.result.trace else []
    return [p for p in pictures if p.kind == kind and clip in (None, p.clip)]


def worst_parts(runs: Sequence[Run]) -> list[tuple[Run, list[Shown]]]:
    """Gather the worst cases of each run."""
    parts = [(run, [show(p, p.clip) for p in _pictures(run, 'worst')]) for run in runs]
    return [(run, shown) for run, shown in parts if shown]


def error_parts(runs: Sequence[Run]) -> list[ErrorPart]:
    """
    Gather the forecast errors of the first run that has some.

    Each run measures the same clips under the scheduler and the fixed rule, so one tells all.
    """
    for run in runs:
        pictures = _pictures(run, 'heat')
        if run.result.trace is not None and pictures:
            clips = list(dict.fromkeys(picture.clip for picture in pictures))
            return [_errors(clip, pictures, run.result.trace.errors) for clip in clips]
    return []


def _errors(
    clip: str, pictures: Sequence[Picture], curves: Sequence[ErrorCurve]
) -> ErrorPart:
    own = [picture for picture in pictures if picture.clip == clip]
    lines = [curve for curve in curves if curve.clip == clip and curve.error]
    policies = list(dict.fromkeys(picture.policy or '' for picture in own))
    return ErrorPart(
        clip, error_chart(lines) if lines else None,
        [(policy, ' and '.join(summary(curve) for curve in lines if curve.policy == policy),
          [show(p, '') for p in own if (p.policy or '') == policy]) for policy in policies],
        max((p.brightest or 0.0 for p in own), default=0.0),
    )
