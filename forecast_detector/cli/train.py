"""
Train weights, phase by phase as the recipe says.

A run that is stopped goes on where it was when it is started again with the same --out; SIGTERM
and Ctrl-C stop it between two steps, its state saved. On many GPUs or machines:

  torchrun --nproc-per-node 4 -m forecast_detector train ...

shares every batch among the processes; the recipe's batch_size is that of all together.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
import sys

from . import common, options
from .data import add_bags, bag_options, check_data, tell_unfinished

SPLIT, WORKERS = 'train', 2
SEQUENCES, CACHED = {'baseline', 'joint'}, {'temporal', 'scheduler'}  # phases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``train``."""
    from ..training.datasets import DATASETS, STILLS

    parser.add_argument(
        '--config', required=True, help='recipe: a file, or a shipped one by name (foda)'
    )
    parser.add_argument(
        '--dataset', default='coco_vid', choices=DATASETS,
        help='voc and coco are still images, made into clips; default: %(default)s',
    )
    parser.add_argument('--root', help='folder of the data set')
    parser.add_argument('--split', help=f'default: {SPLIT}; bags have none')
    add_bags(parser, 'teaches what follows a frame, and no objects')
    parser.add_argument(
        '--stills', metavar='NAME[=ROOT[:SPLIT]]',
        help=f'still images to mix in, if the recipe has a share for them: {", ".join(STILLS)}; '
        'default for imagenet_vid: imagenet_det of the same root',
    )
    parser.add_argument('--out', required=True, help='folder for log, states and weights')
    parser.add_argument(
        '--features', metavar='DIR',
        help='folder that keeps the cached features, for other runs that can use them; without '
        'it they go when the run is done',
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument('--imagenet', help="file of the backbone's ImageNet weights")
    # torchrun takes --start for its own --start-method.
    start.add_argument('--start', '--start-from', metavar='WEIGHTS', dest='start',
                       help='start from these weights, a file or a shipped name, with whatever '
                       'fits the recipe; under torchrun only as --start-from')
    parser.add_argument('--seed', type=options.whole(0), help="instead of the recipe's")
    parser.add_argument(
        '--workers', type=options.whole(0),
        help='processes that prepare clips ahead, for phases baseline and joint; '
        f'default: {WORKERS}',
    )
    common.add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``train``."""
    from ..training import interrupt

    try:
        with interrupt.graceful():
            return _train(args)
    except interrupt.InterruptedTraining as stopped:
        print(f'forecast-detector: {stopped}', file=sys.stderr)
        return 128 + stopped.signum


def _check(args: argparse.Namespace, recipe: Path) -> None:
    """
    Find what does not go together before any data is opened.

    :raises OptionError: for options that this data set or recipe does not take.
    :raises ValueError: for a recipe that cannot be.
    """
    from ..training.config import load_train_config

    check_data(args, SPLIT)
    # The classes are not known yet, and do not matter to it.
    phases = set(load_train_config(recipe, ('any',)).phases)
    if not phases & CACHED:
        options.refuse(args, ['features'], 'no phase of this recipe caches features')
    if not phases & SEQUENCES:
        options.refuse(args, ['workers'], 'only phases baseline and joint have such processes, '
                                          'and this recipe has neither; leave it out')
    options.fill(args, workers=WORKERS)


def _train(args: argparse.Namespace) -> int:
    from ..device import select_device
    from ..shipped import find
    from ..training import distributed
    from ..training.config import load_train_config
    from ..training.datasets import open_stills, open_training_set
    from ..training.trainer import train

    recipe = find('recipes', args.config)
    _check(args, recipe)
    with distributed.process_group(args.device) as name:
        device, note = select_device(name)
        print(note, file=sys.stderr)
        dataset = open_training_set(
            args.dataset, args.root, args.split or SPLIT, bags=bag_options(args)
        )
        tell_unfinished(dataset.clips)
        config = load_train_config(recipe, dataset.labels)
        if args.seed is not None:
            config = replace(config, seed=args.seed)
        named = args.stills
        if named is None and args.dataset == 'imagenet_vid' and config.mixes_stills:
            named = 'imagenet_det'
        stills = open_stills(named, args.root, dataset.labels)
        weights = train(
            config, dataset, Path(args.out), device, args.imagenet, stills, args.workers,
            args.start, None if args.features is None else Path(args.features),
        )
        if distributed.rank() == 0:
            print(weights)
    return 0
