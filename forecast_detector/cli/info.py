"""Show what is in a weights file: configuration, classes, hash, provenance and licence."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import write
from ..records.weights import WeightsInfo
from . import options
from .command import option
from .common import JsonOptions


@dataclass(frozen=True, kw_only=True)
class InfoCommand(JsonOptions):
    """Options of ``info``."""

    weights: str = option('file or shipped name, such as coco', flags=())

    def run(self) -> int:
        """Show the file."""
        from ..checkpoint import load_checkpoint
        from ..config import to_dict

        options.check_outputs(self, ['json'], [self.weights])
        checkpoint = load_checkpoint(self.weights)
        config = to_dict(checkpoint.config)
        labels = config.pop('labels')
        values = WeightsInfo(
            str(checkpoint.path), checkpoint.path.stat().st_size, checkpoint.sha256,
            sum(p.numel() for p in checkpoint.network.parameters()), labels, config,
            dict(checkpoint.info),
        )
        if self.json:
            write(self.json, values)
        if self.json != '-':
            _print(values)
        return 0


def _print(values: WeightsInfo) -> None:
    print(f'{values.file}\n  sha256      {values.sha256}')
    print(f'  size        {values.bytes / 1e6:.1f} MB, {values.parameters / 1e6:.2f} M parameters')
    print(f'  {len(values.labels)} classes  {", ".join(values.labels)}')
    for name, section in (('config', values.config), ('info', values.info)):
        print(name)
        for key, value in section.items():
            if key != 'anchors':
                print(f'  {key:<20} {value}')
