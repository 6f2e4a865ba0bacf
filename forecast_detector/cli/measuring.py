"""Run weights over a data set for ``evaluate``: here, in worker processes, or on a cluster."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any, TYPE_CHECKING

from tqdm import tqdm

from ..config import StreamConfig
from . import options
from .data import bag_options, open_data, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..data.base import ClipDataset
    from ..evaluation.job import Done, Job, Outcome, PendingClip
    from ..evaluation.run import ClipRun, Latency
    from ..scoring.metrics import ScoredClip

SCHEDULED = ('scheduler', 'scheduled_kalman')
# Policies under which the network steps on forecasts.
STREAMED = (*SCHEDULED, 'alternate', 'copy')
OPTIONS = {'accumulate': 'no_accumulate', 'commit_on_forecast': 'no_commit'}
CHANGES = ('max_consecutive_forecasts', 'accumulate', 'commit_on_forecast')
POLICY, READ_EVERY = 'scheduler', 2


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


def add_stream(parser: argparse.ArgumentParser) -> None:
    """Add the options of streams that forecast."""
    parser.add_argument('--max-consecutive-forecasts', type=options.whole(0), metavar='N',
                        help='default: 0, no limit')
    parser.add_argument('--no-accumulate', action='store_true',
                        help='compare p with the confidence in the next forecast alone, as the '
                             'paper does, not with that in all since the last READ')
    parser.add_argument('--no-commit', action='store_true',
                        help='let a FORECAST step leave the LSTM state as it was')


def stream_changes(args: argparse.Namespace) -> dict[str, Any]:
    """Give the settings of a stream that the options of :func:`add_stream` ask for."""
    return {
        'max_consecutive_forecasts': _given(args.max_consecutive_forecasts, 0),
        'accumulate': not args.no_accumulate,
        'commit_on_forecast': not args.no_commit,
    }


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """Say which decisions are asked for; null where the policy takes none."""
    scheduled = args.policy in SCHEDULED
    fixed = not scheduled and args.policy != 'read'
    asked = stream_changes(args)
    if not scheduled:
        asked.update(max_consecutive_forecasts=None, accumulate=None)
    if args.policy not in STREAMED:
        asked.update(commit_on_forecast=None)
    return {
        'policy': args.policy,
        'p': _given(args.p, StreamConfig().p) if scheduled else None,
        'read_every': _given(args.read_every, READ_EVERY) if fixed else None,
        **asked,
    }


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value


def check_options(args: argparse.Namespace) -> None:
    """
    See that the options of a run go together, and fill in policy and device.

    :raises OptionError: for options that ask for nothing, or for what cannot be.
    """
    options.fill(args, policy=POLICY, device='auto')
    if not args.sap:
        options.refuse(args, ('latency', 'anticipate'), 'is for --sap; give it, too')
    if args.latency and args.latency.anticipation is not None and not args.anticipate:
        raise options.OptionError('--latency: AHEAD_MS is for --anticipate; give it, too, or two '
                                  'times only')
    if args.policy == 'oracle':
        options.refuse(args, ['sap'], 'the oracle knows the truth before it acts')
        options.refuse(args, ('workers', 'ray'), 'the oracle weighs all frames together')
    if args.ray is not None:
        from ..evaluation.many import require_ray
        require_ray()
    if args.trace and not args.json:
        raise options.OptionError('--trace goes into the JSON; give --json, too')
    unfit = [OPTIONS.get(name, name) for name, value in settings(args).items() if value is None]
    options.refuse(args, unfit, f'policy {args.policy} takes none; leave it out, or choose '
                                'another --policy')


def make_job(args: argparse.Namespace) -> Job:
    """Load the weights, and gather what is done with each clip."""
    from ..checkpoint import load_checkpoint
    from ..evaluation.job import Job

    decisions = settings(args)
    return Job(
        load_checkpoint(args.weights), args.device,
        tuple(args.input_size) if args.input_size else None, args.resize, args.policy,
        _given(decisions['p'], 1.0), _given(decisions['read_every'], READ_EVERY),
        {name: decisions[name] for name in CHANGES if decisions[name] is not None},
        args.sap, args.latency, args.anticipate,
    )


def measure(args: argparse.Namespace, job: Job, skipped: Skipped) -> Measured:
    """
    Run the job over every clip; bags that cannot be used are skipped and told of.

    :raises ValueError: if no bag can be used.
    """
    from ..data.base import ClipDataset
    from ..evaluation.run import latency
    from ..scoring.metrics import ScoredClip

    labels = job.checkpoint.config.labels
    sources, whole = _sources(args, labels, skipped)
    kept: list[Outcome] = []
    total = len(whole) if whole else None
    with tqdm(unit='frame', total=total, desc=args.policy, dynamic_ncols=True) as bar:
        for outcome in _outcomes(args, job, sources, bar.update):
            if outcome.error is None:
                kept.append(outcome)
            else:
                skipped.add(outcome.name, outcome.error)
    if not kept:
        raise ValueError(f'{args.root}: none of its {len(sources)} bags can be used; see above')
    clips = [outcome.clip for outcome in kept if outcome.clip is not None]
    runs = [outcome.run for outcome in kept if outcome.run is not None]
    streamed = [
        ScoredClip(clip.name, outcome.streamed or [], [clip.truth(i) for i in range(len(clip))])
        for clip, outcome in zip(clips, kept)
    ] if args.sap else None
    return Measured(whole or ClipDataset(labels, clips), runs, latency(runs), streamed)


def _sources(
    args: argparse.Namespace, labels: tuple[str, ...], skipped: Skipped
) -> tuple[list[PendingClip], ClipDataset | None]:
    """Name the clips; bags are opened where they are worked on, other data sets here."""
    from ..evaluation.job import BagClip, OpenClip

    if args.dataset != 'rosbag':
        dataset = open_data(args, labels, skipped)
        return [OpenClip(clip) for clip in dataset.clips], dataset
    from ..data.rosbag import find_bags
    chosen, bags = bag_options(args), find_bags(args.root)
    return [
        BagClip(bag, number, labels, args.stride, chosen) for number, bag in enumerate(bags)
    ], None


def _outcomes(
    args: argparse.Namespace, job: Job, sources: Sequence[PendingClip], done: Done
) -> Iterator[Outcome]:
    from ..evaluation import many

    if args.ray is not None:
        return many.run_on_ray(job, sources, done, args.ray or None, args.workers)
    if args.workers is not None and args.workers != 1:
        return many.run_in_processes(job, sources, done, args.workers)
    return many.run_here(job, sources, done)


def run_oracle(args: argparse.Namespace, job: Job, skipped: Skipped) -> Measured:
    """Run the oracle: several passes; single steps are timed apart, on the first frames."""
    from ..evaluation.oracle import run_oracle_at
    from ..evaluation.rollout import read_share
    from ..evaluation.store import FeatureStore
    from ..evaluation.timing import time_steps
    from ..policies.registry import make_runner

    dataset = open_data(args, job.checkpoint.config.labels, skipped)
    detector = job.detector()
    with tqdm(unit='frame', desc='oracle', dynamic_ncols=True) as bar:
        store = FeatureStore(detector, dataset.clips, bar.update,
                             on_bad=skipped.clips_of(args))
        timed = time_steps(make_runner('alternate', detector), store.clips)
        runs = run_oracle_at(store, 1 / job.read_every, bar.update)
    return Measured(replace(dataset, clips=store.clips), runs,
                    replace(timed, read_share=read_share(runs)))
