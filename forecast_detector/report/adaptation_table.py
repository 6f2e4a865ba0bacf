"""An adaptation as a table, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..records.adaptation import Adaptation, AdaptedShare
from ..records.sweep import SweepPoint
from .tables import reference, user_threshold


def adaptation_table(found: Adaptation) -> str:
    """Write before and after at every share of READs, and what to do."""
    return '\n'.join(_lines(found))


def _lines(found: Adaptation) -> Iterator[str]:
    origin = found.provenance
    yield (f'agreement with {reference(origin)}, recall{user_threshold(origin)}, on '
           f'{origin.get("aside_frames")} frames that training did not see')
    if found.rows:
        yield f'{"":9}{"before":^32}{"after":^32}'
        yield f'{"wanted":>7}  ' + 2 * _heading() + f'{"gain":>9}  95 % interval'
    for row in found.rows:
        yield _row(row)
    trained = ', '.join(f'{phase} {count} steps' for phase, count in found.steps.items())
    yield f'trained: {trained or "nothing"}'
    if found.passed_over:
        yield f'{found.passed_over} frames that cannot be used were passed over'
    yield 'READs are as before: the same boxes and scores, on every frame'
    yield ('it helps: ' if found.helps else 'it does not help: ') + found.verdict
    best = found.recommended
    if best is not None and best.p is not None:
        yield (f'p = {best.p:.4g}: READ share {best.read_share:.3f}, agreement '
               f'{best.agreement50 or 0:.4f}, {best.ms_per_frame:.1f} ms a frame')
        yield (f'give that p with the weights (p:={best.p:.4g} to the launch file, --p '
               f'{best.p:.4g} to commands): the default reads another share')


def _heading() -> str:
    return f'{"READs":>7}{"agree":>8}{"recall":>8}{"ms":>7}  '


def _row(row: AdaptedShare) -> str:
    ends = '–' if row.low is None or row.high is None else f'{row.low:+.4f} to {row.high:+.4f}'
    return (f'{row.read_share:7.3f}  {_point(row.before)}{_point(row.after)}{row.gain:+9.4f}  '
            f'{ends}')


def _point(point: SweepPoint) -> str:
    figures = [(point.read_share, 7, 3), (point.agreement50, 8, 4), (point.recall50, 8, 4),
               (point.ms_per_frame, 7, 1)]
    return ''.join(f'{"–":>{width}}' if value is None else f'{value:{width}.{digits}f}'
                   for value, width, digits in figures) + '  '
