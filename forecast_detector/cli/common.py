"""What the commands share: options, JSON output, progress."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
import re
import shutil
import sys
from typing import get_args, TYPE_CHECKING, TypeVar

from tqdm import tqdm

from ..config import Resize, StreamConfig
from . import options

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..engine import StreamingDetector

T = TypeVar('T')


def add_device(parser: argparse.ArgumentParser, default: str | None = 'auto') -> None:
    """
    Add ``--device``.

    :param default: None for a command that has to know whether it was given.
    """
    parser.add_argument('--device', default=default, type=options.device,
                        help="'auto', 'cpu', 'cuda' or 'cuda:N'; default: auto")


def add_input(parser: argparse.ArgumentParser) -> None:
    """Add ``--input-size`` and ``--resize``."""
    parser.add_argument(
        '--input-size', nargs=2, type=options.whole(32, 32), metavar=('HEIGHT', 'WIDTH'),
        help="of the network's input, multiples of 32; default: as trained",
    )
    parser.add_argument(
        '--resize', choices=get_args(Resize),
        help='how an image is laid into the input; default: as trained',
    )


def make_detector(
    args: argparse.Namespace, config: StreamConfig | None = None
) -> tuple[StreamingDetector, Checkpoint]:
    """Load the weights that the options name; says on stderr which device runs them."""
    from ..checkpoint import load_checkpoint
    from ..engine import StreamingDetector

    checkpoint = load_checkpoint(args.weights)
    size = tuple(args.input_size) if args.input_size else None
    detector = StreamingDetector(checkpoint, config, args.device, size, args.resize)
    print(detector.device_note, file=sys.stderr)
    return detector, checkpoint


def clear_results(out: Path, names: Iterable[str], source: Path | None) -> None:
    """
    Remove what an earlier run left in a folder, and nothing else; makes the folder.

    :param names: of the files and folders that a run leaves.
    :param source: what the new run is to read.
    :raises ValueError: if that would be removed; then nothing is.
    """
    paths = [out / name for name in names]
    if source is not None:
        read = source.resolve()
        doomed = {path.resolve() for path in paths}
        if read == out.resolve() or doomed & {read, *read.parents}:
            raise options.OptionError(
                f'--out: {out} would write over {source}; choose another folder')
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument(
        '--json', metavar='FILE', help="write the figures as JSON; '-' is stdout, and nothing else"
    )


def progress(iterable: Iterable[T], total: int | None = None, desc: str = '') -> Iterator[T]:
    """Show progress on stderr."""
    return iter(tqdm(iterable, total=total, desc=desc, unit='frame', dynamic_ncols=True))


def say(text: str) -> None:
    """Say something on stderr, on a line of its own even while progress is shown."""
    tqdm.write(text, file=sys.stderr)


def note(text: str) -> None:
    """Say something that is worth knowing."""
    say(f'note: {text}')


class PassedOver:
    """
    Names what is passed over, a line each; of many that differ in their numbers only, the first.

    :ivar count: of all that was passed over.
    """

    SHOWN = 20

    def __init__(self) -> None:
        self.count = 0
        self._alike: Counter[str] = Counter()

    def say(self, text: str) -> None:
        """Say what is passed over, and why."""
        alike = re.sub(r'\d+', '#', text)
        self.count += 1
        self._alike[alike] += 1
        if self._alike[alike] <= self.SHOWN:
            say(text)

    def finish(self) -> None:
        """Say how many there were of those that were not all named."""
        more = sum(max(0, number - self.SHOWN) for number in self._alike.values())
        if more:
            note(f'passed over: {more} more like these')
