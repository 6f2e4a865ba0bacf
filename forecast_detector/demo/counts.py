"""How many answers of which kind a demo has given, however many of them are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..types import Action, Reason


@dataclass
class Counts:
    """
    Counts of answers, see :func:`~.summary.read_numbers`.

    :ivar objects: with a score from which on they are drawn.
    """

    read: int = 0
    forecast: int = 0
    resets: int = 0
    objects: int = 0

    @property
    def answers(self) -> int:
        """All of them."""
        return self.read + self.forecast

    def add(self, answer: Mapping[str, Any], shown_score: float) -> None:
        """Count one more."""
        self.read += answer['action'] == Action.READ
        self.forecast += answer['action'] == Action.FORECAST
        self.resets += answer['reason'] == Reason.RESET
        self.objects += sum(one[4] >= shown_score for one in answer['objects'])


def counts_of(answers: Iterable[Mapping[str, Any]], shown_score: float) -> Counts:
    """Count answers."""
    counts = Counts()
    for answer in answers:
        counts.add(answer, shown_score)
    return counts
