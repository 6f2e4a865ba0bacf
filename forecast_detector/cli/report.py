"""
Write one HTML file from what evaluate, replay and sweep measured: to look at, not to read.

It needs no network and no other file. Runs are shown side by side, in the order given; their
letters are the colours of the charts. With --trace of evaluate and replay the report has a
timeline, example frames, worst cases and forecast errors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from . import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``report``."""
    parser.add_argument('files', nargs='*', metavar='RUN.json',
                        help='what --json of evaluate or replay wrote; of sweep, too: the '
                             'content tells')
    parser.add_argument('--sweep', metavar='SWEEP.json',
                        help='what --json of sweep wrote, for the trade-off curve')
    parser.add_argument('--out', required=True, metavar='FILE', help='the HTML file')


def run(args: argparse.Namespace) -> int:
    """Run ``report``."""
    from ..report.page import build_from

    paths = [*args.files, *([args.sweep] if args.sweep else [])]
    if not paths:
        raise options.OptionError('nothing to report; name at least one JSON file')
    options.check_outputs(args, ['out'], paths)
    page = build_from(paths)
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding='utf-8')
    print(f'{out}: {len(page.encode()) / 1e6:.1f} MB')
    return 0
