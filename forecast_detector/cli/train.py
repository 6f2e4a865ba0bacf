"""
Train weights: a single-frame detector first, then forecast and scheduler on sequences.

A run that is stopped goes on where it was when it is started again with the same --out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from . import common

if TYPE_CHECKING:
    from ..data.base import ClipDataset

SYNTHETIC_CLIPS = 96
SYNTHETIC_LENGTH = 45


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``train``."""
    parser.add_argument(
        '--config', required=True, help='recipe: a file, or a shipped one by name (foda)'
    )
    parser.add_argument(
        '--dataset', default='coco_vid', choices=('coco_vid', 'synthetic'),
        help='default: %(default)s',
    )
    parser.add_argument('--root', help='folder of the data set')
    parser.add_argument('--split', default='train', help='default: %(default)s')
    parser.add_argument('--out', required=True, help='folder for log, states and weights')
    parser.add_argument('--imagenet', help="file of the backbone's ImageNet weights")
    common.add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``train``."""
    from ..data.synthetic import load_synthetic
    from ..device import select_device
    from ..evaluation.datasets import open_dataset
    from ..shipped import find
    from ..training.config import load_train_config
    from ..training.trainer import train

    recipe = find('recipes', args.config)
    device, note = select_device(args.device)
    print(note, file=sys.stderr)
    dataset: ClipDataset
    if args.dataset == 'synthetic':
        # Many short worlds teach more than few long ones.
        dataset = load_synthetic(args.split, clips=SYNTHETIC_CLIPS, length=SYNTHETIC_LENGTH)
    else:
        dataset = open_dataset(args.dataset, args.root, args.split, 1, None)
    config = load_train_config(recipe, dataset.labels)
    weights = train(config, dataset, Path(args.out), device, args.imagenet)
    print(weights)
    return 0
