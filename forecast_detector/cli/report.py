"""
Write one HTML file from what evaluate, replay and sweep measured: to look at, not to read.

It needs no network and no other file. Runs are shown side by side, in the order given; their
letters are the colours of the charts. With --trace of evaluate and replay the report has a
timeline, example frames, worst cases and forecast errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..writing import write_whole
from . import options
from .command import Command, option


@dataclass(frozen=True, kw_only=True)
class ReportCommand(Command):
    """Options of ``report``."""

    files: Sequence[str] = option(
        'what --json of evaluate or replay wrote; of sweep, too: the content tells', (),
        flags=(), nargs='*', metavar='RUN.json')
    sweep: str | None = option(
        'what --json of sweep wrote, for the trade-off curve', None, metavar='SWEEP.json')
    out: str = option('the HTML file', metavar='FILE')
    reference: str | None = option(
        'refuse files that were judged by anything else than this; default: they say by what',
        None, choices=('truth', 'read'))

    def run(self) -> int:
        """Write the page."""
        from ..report.page import build_from

        paths = [*self.files, *([self.sweep] if self.sweep else [])]
        if not paths:
            raise options.OptionError('nothing to report; name at least one JSON file')
        options.check_outputs(self, ['out'], paths)
        page = build_from(paths, self.reference)
        out = Path(self.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, page)
        size = len(page.encode())
        print(f'{out}: ' + (f'{size / 1e6:.1f} MB' if size >= 1e6 else f'{size / 1e3:.0f} kB'))
        return 0
