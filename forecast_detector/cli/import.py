"""
Make weights of a YOLOX network, of any size, that another program trained.

Reads checkpoints (.pth, without running anything pickled in them) and ONNX exports. The
weights detect as they did, and forecast at once.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import shlex
from typing import get_args, TYPE_CHECKING

from ..config import Resize
from ..limits import MAX_INPUT_SIDE
from . import options
from .command import Command, option

if TYPE_CHECKING:
    from ..importing import Imported


def _provenance(text: str) -> tuple[str, str]:
    key, equals, value = text.partition('=')
    if not equals or not key.strip() or not value.strip():
        raise ArgumentTypeError(f'{text!r}: KEY=VALUE is expected')
    return key.strip(), value.strip()


@dataclass(frozen=True, kw_only=True)
class ImportCommand(Command):
    """Options of ``import``."""

    source: Path = option('checkpoint (.pth) or export (.onnx) of YOLOX', flags=(), parse=Path,
                          metavar='file')
    out: str = option('weights to write (.safetensors)', metavar='FILE')
    labels: str | None = option(
        "names of the classes: a text file with one name a line, or names with commas between; "
        "default: COCO's, if there are 80", None, metavar='NAMES')
    input_size: Sequence[int] | None = option(
        "of the network's input, multiples of 32; default: that of the ONNX file, else 416 for "
        'nano and tiny, 640 for the others', None,
        options.whole(32, 32, MAX_INPUT_SIDE), nargs=2, metavar=('HEIGHT', 'WIDTH'))
    resize: Resize = option(
        'how an image is laid into the input: corner, as YOLOX does; trim leaves out the padding '
        'that its shape does not need, and is faster; default: corner', 'corner',
        choices=get_args(Resize))
    licence: str | None = option('licence of the weights, kept with them', None, metavar='TEXT')
    info: Sequence[tuple[str, str]] = option(
        'what else to keep with the weights, such as data=... for what they were trained on', (),
        _provenance, nargs='+', metavar='KEY=VALUE')

    def run(self) -> int:
        """Import; nothing is written unless all fits."""
        from ..checkpoint import save_checkpoint
        from ..importing import import_yolox

        out = self._out()
        self._check_source()
        size = (self.input_size[0], self.input_size[1]) if self.input_size else None
        imported = import_yolox(self.source, self.labels, size, self.resize)
        out.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(out, imported.network, self._info(imported), half=imported.half)
        self._say(imported, out)
        return 0

    def _out(self) -> Path:
        from ..checkpoint import SUFFIX

        options.check_outputs(self, ['out'], [self.source])
        out = Path(self.out)
        if out.suffix and out.suffix != SUFFIX:
            raise options.OptionError(f'--out: {out}: weights are {SUFFIX} files')
        return out.with_suffix(SUFFIX)

    def _check_source(self) -> None:
        """:raises WeightsError: for weights that are ours already."""
        from ..checkpoint import is_checkpoint
        from ..types import WeightsError

        if is_checkpoint(self.source):
            raise WeightsError(
                f'{self.source}: already weights of this package, so there is nothing to import; '
                'name the file where weights are asked for: forecast-detector detect VIDEO '
                f'--weights {shlex.quote(str(self.source))}')

    def _info(self, imported: Imported) -> dict[str, str]:
        given = {**dict(self.info), **({'licence': self.licence} if self.licence else {})}
        taken = sorted(set(given) & set(imported.info))
        if taken:
            raise options.OptionError(f'--info: {", ".join(taken)}: the file itself says so; '
                                      'choose another key')
        return {**given, **imported.info}

    def _say(self, imported: Imported, out: Path) -> None:
        network, config = imported.network, imported.network.config
        parameters = sum(
            one.numel() for part in (network.backbone, network.head) for one in part.parameters()
        )
        height, width = config.input_size
        print(f'{out}: {imported.size}, {len(config.labels)} classes, input {height}x{width} '
              f'(height x width), {parameters / 1e6:.2f} M parameters, from {self.source}')
        print(f'next: forecast-detector detect VIDEO --weights {shlex.quote(str(out))}')
