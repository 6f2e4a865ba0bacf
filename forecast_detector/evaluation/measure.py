"""Run weights over a data set: here, in worker processes, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..data.base import Clip, ClipDataset
from ..data.registry import open_dataset, Place, RECORDINGS
from ..policies.registry import make_runner
from ..scoring.judging import BY_TRUTH, judge, Judging
from ..scoring.metrics import ScoredClip
from . import many
from .job import BagClip, Job, OpenClip, Outcome, PendingClip
from .oracle import run_oracle_at
from .reference import judged_store
from .rollout import read_share
from .run import ClipRun, Done, ignore, Latency, latency, scored
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

    def streaming(self, judging: Judging = BY_TRUTH) -> float | None:
        """Streaming average precision, or agreement; None where it was not asked for."""
        if self.streamed is None:
            return None
        return judge(self.streamed, self.dataset.labels, judging).metrics.ap50


@dataclass(frozen=True)
class Sources:
    """
    The clips of a data set; bags are opened where they are worked on, others are open.

    :ivar dataset: what is open, and counts whole.
    :ivar frames: how many there are, where that is known.
    :ivar kind: what the clips are, for messages.
    """

    root: str
    clips: Sequence[PendingClip]
    dataset: ClipDataset | None = None
    frames: int | None = None
    kind: str = 'bags'

    @classmethod
    def of(cls, name: str, place: Place, stride: int) -> Sources:
        """
        Name the clips of a data set.

        :param place: with the labels of the weights.
        """
        if name != 'rosbag':
            dataset = open_dataset(name, place, stride)
            may_fail = name in RECORDINGS
            return cls(place.root or '', [OpenClip(clip, may_fail) for clip in dataset.clips],
                       None if may_fail else dataset, len(dataset), 'clips')
        from ..data.rosbag import find_bags
        return cls(place.folder, [
            BagClip(bag, number, place.labels or (), stride, place.bags, place.passes_foreign)
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
        count = f'{len(sources.clips)} {sources.kind}'
        raise ValueError(f'{sources.root}: none of its {count} can be used; see above')
    opened = [outcome.clip for outcome in kept if outcome.clip is not None]
    runs = [outcome.run for outcome in kept if outcome.run is not None]
    streamed = [
        scored(clip, outcome.streamed or [])
        for clip, outcome in zip(opened, kept)
    ] if job.streams else None
    labels = job.checkpoint.config.labels
    whole = replace(sources.dataset, clips=opened) if sources.dataset else ClipDataset(
        labels, opened)
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
    if job.judging.reading is not None:
        store = judged_store(store, job.judging.reading, done)
    timed = time_steps(make_runner('alternate', detector), store.clips)
    runs = run_oracle_at(store, 1 / job.read_every, done)
    return Measured(replace(dataset, clips=store.clips), runs,
                    replace(timed, read_share=read_share(runs)))
