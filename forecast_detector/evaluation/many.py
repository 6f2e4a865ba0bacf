"""Many clips or bags: in this process, in several of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from importlib.util import find_spec
import multiprocessing
import pickle
from typing import Any

from ..memory import keep_freed_memory
from .job import ClipWorker, Done, Job, Outcome, PendingClip


def run_here(job: Job, sources: Sequence[PendingClip], done: Done) -> Iterator[Outcome]:
    """
    Do a job in this process.

    :param done: called with the number of frames done since the last call.
    :returns: outcomes in the order of the sources.
    """
    worker = ClipWorker(job)
    for source in sources:
        yield worker(source, done)


def run_in_processes(
    job: Job, sources: Sequence[PendingClip], done: Done, workers: int
) -> Iterator[Outcome]:
    """
    Do a job in processes of this machine, which share its cores.

    :param done: as for :func:`run_here`, called once a clip.
    :returns: outcomes in the order of the sources.
    :raises ValueError: for fewer workers than one.
    :raises RuntimeError: if a process is killed (by the system, for want of memory, say).
    """
    import torch

    if workers < 1:
        raise ValueError(f'workers: {workers} is below 1')
    workers = min(workers, len(sources))
    threads = max(1, torch.get_num_threads() // workers)
    pool = ProcessPoolExecutor(
        workers,
        # A forked copy of a process with threads or a GPU does not work.
        multiprocessing.get_context('spawn'),
        _start, (pickle.dumps(job), threads),
    )
    with pool:
        yield from _counted(pool.map(_work, sources), done, job.passes)


class RemoteWorker:
    """A worker in a process of its own, or on a node of a cluster."""

    def __init__(self, job: bytes) -> None:
        """
        Take the job.

        :param job: pickled.
        """
        keep_freed_memory()
        self._job = job

    @cached_property
    def _worker(self) -> ClipWorker:
        # Made with the first clip: an error while a process starts would be lost.
        return ClipWorker(pickle.loads(self._job))

    def run(self, source: PendingClip) -> Outcome:
        """Run one clip."""
        return self._worker(source)


# Of this process, where it is one of a pool.
_remote: RemoteWorker


def _start(job: bytes, threads: int) -> None:
    from ..threads import use_threads

    global _remote
    _remote = RemoteWorker(job)
    use_threads(threads)


def _work(source: PendingClip) -> Outcome:
    return _remote.run(source)


def require_ray() -> None:
    """:raises RuntimeError: if Ray is not installed."""
    if find_spec('ray') is None:
        raise RuntimeError(
            "--ray needs Ray, which is not installed; pip install 'forecast_detector[ray]' here "
            'and on every node of the cluster'
        )


def run_on_ray(
    job: Job, sources: Sequence[PendingClip], done: Done, address: str | None = None,
    workers: int | None = None,
) -> Iterator[Outcome]:
    """
    Do a job on a Ray cluster; every node needs this package, and the data at the same path.

    A worker takes a core, or a GPU where the cluster has any and the job's device is not ``cpu``.

    :param address: of the cluster (``auto``, ``host:port``); None starts one on this machine.
    :param workers: None: as many as the cluster has cores, or GPUs.
    :returns: outcomes in the order of the sources.
    :raises RuntimeError: if Ray is not installed.
    :raises ValueError: for workers below 1.
    """
    require_ray()
    import ray
    from ray.util import ActorPool

    if workers is not None and workers < 1:
        raise ValueError(f'workers: {workers} is below 1')
    started = not ray.is_initialized()
    if started:
        ray.init(address, num_cpus=workers if address is None else None, log_to_driver=False)
    try:
        resource = ray_resource(ray.cluster_resources(), job.device)
        # More actors than the cluster has room for would wait for ever.
        room = int(ray.cluster_resources().get(resource, 1))
        count = min(workers or room, room)
        share = {'num_gpus': 1} if resource == 'GPU' else {'num_cpus': 1}
        actor = ray.remote(**share)(RemoteWorker)
        packed = ray.put(pickle.dumps(job))
        pool = ActorPool([actor.remote(packed) for _ in range(max(1, min(count, len(sources))))])
        try:
            yield from _counted(pool.map(_submit, sources), done, job.passes)
        except ray.exceptions.RayTaskError as error:
            # The error that the worker met, not the wrapping: it is the user's to mend.
            raise (error.cause or error) from error
    finally:
        if started:
            ray.shutdown()


def ray_resource(available: dict[str, float], device: str) -> str:
    """Say what a worker on a cluster with these resources takes one of: ``CPU`` or ``GPU``."""
    return 'GPU' if device != 'cpu' and available.get('GPU', 0) >= 1 else 'CPU'


def _submit(actor: Any, source: PendingClip) -> Any:
    return actor.run.remote(source)


def _counted(outcomes: Iterator[Outcome], done: Done, passes: int) -> Iterator[Outcome]:
    for outcome in outcomes:
        done(passes * len(outcome.run.steps) if outcome.run else 0)
        yield outcome
