"""Show what is in a weights file: configuration, classes, hash, provenance and licence."""

from __future__ import annotations

import argparse
from typing import Any

from ..records import write
from . import common, options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``info``."""
    parser.add_argument('weights', help='file or shipped name, such as foda')
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``info``."""
    from ..checkpoint import load_checkpoint
    from ..config import to_dict

    options.check_outputs(args, ['json'], [args.weights])
    checkpoint = load_checkpoint(args.weights)
    config = to_dict(checkpoint.config)
    labels = config.pop('labels')
    values: dict[str, Any] = {
        'file': str(checkpoint.path),
        'bytes': checkpoint.path.stat().st_size,
        'sha256': checkpoint.sha256,
        'parameters': sum(p.numel() for p in checkpoint.network.parameters()),
        'labels': labels,
        'config': config,
        'info': dict(checkpoint.info),
    }
    if args.json:
        write(args.json, values)
    if args.json != '-':
        _print(values)
    return 0


def _print(values: dict[str, Any]) -> None:
    print(f'{values["file"]}\n  sha256      {values["sha256"]}')
    print(f'  size        {values["bytes"] / 1e6:.1f} MB, '
          f'{values["parameters"] / 1e6:.2f} M parameters')
    print(f'  {len(values["labels"])} classes  {", ".join(values["labels"])}')
    for section in ('config', 'info'):
        print(section)
        for key, value in values[section].items():
            if key != 'anchors':
                print(f'  {key:<20} {value}')
