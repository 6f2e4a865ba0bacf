"""Run weights over a data set: here, in worker processes, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..data.base import Clip, ClipDataset
from ..data.registry import open_dataset, Place
from ..policies.registry import make_runner
from ..scoring.average_precision import mean_average_precision
from ..scoring.matching import Rule
from ..scoring.metrics import ALL, outcomes, ScoredClip
from . import many
from .job import BagClip, Job, OpenClip, Outcome, PendingClip
from .oracle import run_oracle_at
from .rollout import read_share
from .run import ClipRun, Done, ignore, Latency, latency
from .store import FeatureStore
from .timing import time_steps


@dataclass(frozen=True)
class Measured:
    """
    What a run gave.

    :ivar streamed: what was known at each frame, where streaming AP was asked for.
    """

    dataset: ClipDataset
    runs: Sequence[ClipRun]
    timed: Latency
    streamed: Sequence[ScoredClip] | None = None

    def scored(self) -> list[ScoredClip]:
        """Set the detections beside the truth."""
        return [one.scored(clip) for one, clip in zip(self.runs, self.dataset.clips)]

    def sap50(self) -> float | None:
        """Streaming average precision; None where it was not asked for."""
        if self.streamed is None:
            return None
        judged = outcomes(self.streamed, len(self.dataset.labels), Rule.PLAIN, ())
        return mean_average_precision(judged[ALL])


@dataclass(frozen=True)
class Sources:
    """
    The clips of a data set; bags are opened where they are worked on, others are open.

    :ivar dataset: what is open.
    """

    root: str
    clips: Sequence[PendingClip]
    dataset: ClipDataset | None = None

    @classmethod
    def of(cls, name: str, place: Place, stride: int) -> Sources:
        """
        Name the clips of a data set.

        :param place: with the labels of the weights.
        """
        if name != 'rosbag':
            dataset = open_dataset(name, place, stride)
            return cls(place.root or '', [OpenClip(clip) for clip in dataset.clips], dataset)
        from ..data.rosbag import find_bags
        return cls(place.folder, [
            BagClip(bag, number, place.labels or (), stride, place.bags)
            for number, bag in enumerate(find_bags(place.folder))
        ])


def measure(
    job: Job, sources: Sources, on_bad: Callable[[str, str], None], done: Done = ignore,
    workers: int | None = None, ray: str | None = None,
) -> Measured:
    """
    Run the job over every clip; those that cannot be used, and may fail, are left out.

    :param on_bad: given name and reason of what is left out.
    :param ray: address of a Ray cluster, '' starts one; None: processes of this machine.
    :raises ValueError: if none can be used.
    """
    kept: list[Outcome] = []
    for outcome in _outcomes(job, sources.clips, done, workers, ray):
        if outcome.error is None:
            kept.append(outcome)
        else:
            on_bad(outcome.name, outcome.error)
    if not kept:
        raise ValueError(
            f'{sources.root}: none of its {len(sources.clips)} bags can be used; see above')
    opened = [outcome.clip for outcome in kept if outcome.clip is not None]
    runs = [outcome.run for outcome in kept if outcome.run is not None]
    streamed = [
        ScoredClip(clip.name, outcome.streamed or [], [clip.truth(i) for i in range(len(clip))])
        for clip, outcome in zip(opened, kept)
    ] if job.streams else None
    whole = sources.dataset or ClipDataset(job.checkpoint.config.labels, opened)
    return Measured(whole, runs, latency(runs), streamed)


def _outcomes(
    job: Job, clips: Sequence[PendingClip], done: Done, workers: int | None, ray: str | None
) -> Iterator[Outcome]:
    if ray is not None:
        return many.run_on_ray(job, clips, done, ray or None, workers)
    if workers is not None and workers != 1:
        return many.run_in_processes(job, clips, done, workers)
    return many.run_here(job, clips, done)


def measure_oracle(
    job: Job, dataset: ClipDataset, on_bad: Callable[[Clip, Exception], None] | None,
    done: Done = ignore,
) -> Measured:
    """
    Run the oracle: several passes; single steps are timed apart, on the first frames.

    :param on_bad: given clips that cannot be used, see :class:`~.store.FeatureStore`.
    """
    detector = job.detector()
    store = FeatureStore(detector, dataset.clips, done, on_bad=on_bad)
    timed = time_steps(make_runner('alternate', detector), store.clips)
    runs = run_oracle_at(store, 1 / job.read_every, done)
    return Measured(replace(dataset, clips=store.clips), runs,
                    replace(timed, read_share=read_share(runs)))
