"""Did it help, where the user wants it to?"""

from __future__ import annotations

from typing import NamedTuple

from ..evaluation.points import Point, recommend, TOLERANCE
from ..evaluation.trade_off import Wish
from .compare import Compared, Comparison, LEAST_STRETCHES

# With too few stretches for an interval nothing tells how sure a gain is: it has to be large.
MARGIN = 0.02


class Verdict(NamedTuple):
    """
    The answer.

    :ivar row: where it was judged; None where nothing keeps to the wish.
    :ivar text: a sentence.
    """

    helps: bool
    text: str
    row: Compared | None = None


def judge(found: Comparison, wish: Wish) -> Verdict:
    """Compare agreement where the wish is met; what may be chance is no help."""
    if wish.share is not None:
        row = found.at(wish.share)
        if row is None:
            return Verdict(False, f'no p gives a READ share of {wish.share:.3g}, give or take '
                                  f'{TOLERANCE}: nothing can be compared there')
    else:
        best = recommend([found.full, *(one.after for one in found.rows)], ms=wish.ms,
                         loss=wish.loss)
        if best is None:
            return Verdict(False, f'no READ share takes at most {wish.ms:g} ms a frame here')
        row = next((one for one in found.rows if one.after is best), None)
        if row is None:
            return Verdict(False, _reading_all(best, wish))
    if row.gain <= 0:
        return Verdict(False, f'at a READ share of {row.share:.3g} agreement is not better '
                              f'({row.gain:+.4f})', row)
    chance = _chance(row)
    return Verdict(not chance, _better(row) + chance, row)


def _chance(row: Compared) -> str:
    """Say why a gain may be chance; '' where it is not."""
    if row.interval is None or row.interval.low is None or row.interval.high is None:
        return '' if row.gain >= MARGIN else (
            f', which may be chance: with fewer than {LEAST_STRETCHES} stretches to judge by, a '
            f'gain counts from {MARGIN} on')
    if row.interval.low > 0:
        return ''
    return (f', which may be chance: its 95 % interval, {row.interval.low:+.4f} to '
            f'{row.interval.high:+.4f}, holds 0')


def _reading_all(full: Point, wish: Wish) -> str:
    if wish.ms is not None:
        return (f'reading every frame takes {full.ms_per_frame:.3g} ms, which is within '
                f'{wish.ms:g}: set p to 1')
    return f'no READ share below 1 loses at most {wish.loss:g} of agreement'


def _better(row: Compared) -> str:
    text = f'at a READ share of {row.share:.3g} agreement is better by {row.gain:.4f}'
    lost = (row.before.found.recall50 or 0.0) - (row.after.found.recall50 or 0.0)
    if lost > 0:
        text += f', though a user sees less (recall {-lost:+.4f})'
    return text
