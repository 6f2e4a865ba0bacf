"""A run of a report: what was measured, and what it goes by on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..policies.table import takes_p
from ..records.evaluation import Evaluation, measure, Precision, Replay, Topic

SPEEDS = ('slow', 'medium', 'fast')
LETTERS = 'ABCDEF'


def short(value: Any) -> str:
    """Take the last part of a path; names stay as they are."""
    return str(value).rstrip('/').rsplit('/', 1)[-1].removesuffix('.safetensors')


@dataclass(frozen=True)
class Run:
    """
    One evaluation or replay.

    :ivar key: the letter that it goes by in the report, a colour goes with it.
    :ivar weights: their name, where the runs of a report differ in it.
    """

    file: str
    result: Evaluation
    key: str = ''
    weights: str = ''

    @property
    def measure(self) -> str:
        """What its accuracy is: ``mAP`` or ``agreement``."""
        return measure(self.result.provenance)

    @property
    def by_speed(self) -> dict[str, float]:
        """The accuracy of each speed that has objects."""
        known = _known(self.result.by_speed)
        return {speed: known[speed] for speed in SPEEDS if speed in known}

    @property
    def by_class(self) -> dict[str, float]:
        """The accuracy of each class that has objects."""
        return _known(self.result.by_class)

    @property
    def topics(self) -> dict[str, Topic]:
        """The cameras of a replay."""
        return self.result.topics if isinstance(self.result, Replay) else {}

    @property
    def policy(self) -> str:
        """Name what decided, short, and the weights where those of the runs differ."""
        return f'{self.weights}, {self._decided}' if self.weights else self._decided

    @property
    def _decided(self) -> str:
        origin = self.result.provenance
        policy = origin.get('policy')
        if takes_p(policy) and origin.get('p') is not None:
            return f'{_words(policy)}, p = {origin["p"]}'
        if policy and policy != 'read' and origin.get('read_every') is not None:
            return f'{_words(policy)}, 1 in {origin["read_every"]}'
        if policy:
            return _words(policy)
        return 'detections scored again' if 'from' in origin else self.file


def measures(runs: Sequence[Run]) -> str:
    """Name the accuracies of runs; those of one kind by its name."""
    return ' or '.join(dict.fromkeys(run.measure for run in runs)) or 'mAP'


def _known(parts: Mapping[str, Precision]) -> dict[str, float]:
    return {name: one.ap50 for name, one in parts.items() if one.ap50 is not None}


def _words(name: Any) -> str:
    return str(name).replace('_', ' ')


def lettered(results: Sequence[tuple[str, Evaluation]]) -> list[Run]:
    """
    Give each run its letter, and the name of its weights where they differ.

    :param results: each with the file that it is from.
    :raises ValueError: if there are more runs than letters and colours.
    """
    if len(results) > len(LETTERS):
        raise ValueError(
            f'{len(results)} runs do not fit side by side; give at most {len(LETTERS)} a report'
        )
    names = [short(result.provenance.get('weights') or '') for _, result in results]
    differ = len({*names} - {''}) > 1
    return [
        Run(file, result, letter, name if differ else '')
        for (file, result), letter, name in zip(results, LETTERS, names)
    ]
