"""The options of streams that ``evaluate`` and ``sweep`` run."""

from __future__ import annotations

import argparse
from typing import Any, TYPE_CHECKING

from ..config import StreamConfig
from . import options

if TYPE_CHECKING:
    from ..evaluation.job import Job

SCHEDULED = ('scheduler', 'scheduled_kalman')
# Policies under which the network steps on forecasts.
STREAMED = (*SCHEDULED, 'alternate', 'copy')
OPTIONS = {'accumulate': 'no_accumulate', 'commit_on_forecast': 'no_commit'}
CHANGES = ('max_consecutive_forecasts', 'accumulate', 'commit_on_forecast')
POLICY, READ_EVERY = 'scheduler', 2


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
