"""What the commands share: options, results in a folder, progress, notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
import re
import shutil
import sys
from typing import Any, get_args, TYPE_CHECKING, TypeVar

from tqdm import tqdm

from ..config import Backend, Resize, StreamConfig
from ..limits import MAX_INPUT_SIDE
from ..policies.table import decisions
from ..types import Budget, Policy
from . import options
from .command import Command, node_option, option, stream_option, switch_off

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..engine import StreamingDetector
    from ..evaluation.trade_off import Wish

T = TypeVar('T')


@dataclass(frozen=True, kw_only=True)
class JsonOptions(Command):
    """Where figures are written."""

    json: str | None = option(
        "write the figures as JSON; '-' is stdout, and nothing else", None, metavar='FILE')


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(Command):
    """Where the detector runs."""

    loads = ('engine',)
    device: str = option("'auto', 'cpu', 'cuda' or 'cuda:N'", 'auto', options.device)


@dataclass(frozen=True, kw_only=True)
class DetectorOptions(DeviceOptions):
    """What detects, and how images are laid into it."""

    weights: str = option('file or shipped name, such as coco')
    backend: Backend = node_option('backend')
    input_size: Sequence[int] | None = option(
        "of the network's input, multiples of 32; default: as trained", None,
        options.whole(32, 32, MAX_INPUT_SIDE), nargs=2, metavar=('HEIGHT', 'WIDTH'))
    resize: Resize | None = option(
        'how an image is laid into the input (trim: YOLOX only); default: as trained', None,
        choices=get_args(Resize))

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the input; None is as trained."""
        return (self.input_size[0], self.input_size[1]) if self.input_size else None

    def make_detector(
        self, config: StreamConfig | None = None
    ) -> tuple[StreamingDetector, Checkpoint]:
        """Load the weights; says on stderr which device runs them."""
        from ..checkpoint import load_checkpoint
        from ..engine import StreamingDetector

        checkpoint = load_checkpoint(self.weights)
        detector = StreamingDetector(
            checkpoint, config, self.device, self.size, self.resize, self.backend)
        print(detector.device_note, file=sys.stderr)
        return detector, checkpoint


@dataclass(frozen=True, kw_only=True)
class StreamOptions(Command):
    """How streams that forecast are measured."""

    max_consecutive_forecasts: int = stream_option('max_consecutive_forecasts', metavar='N')
    no_accumulate: bool = switch_off('accumulate')
    no_commit: bool = switch_off('commit_on_forecast')
    no_blend: bool = switch_off('blend')

    def changes(self) -> dict[str, Any]:
        """Give the settings of a stream that are asked for."""
        return {
            'max_consecutive_forecasts': self.max_consecutive_forecasts,
            'accumulate': not self.no_accumulate, 'commit_on_forecast': not self.no_commit,
            'blend': not self.no_blend,
        }


@dataclass(frozen=True, kw_only=True)
class PolicyOptions(Command):
    """Which frames a stream reads, and what answers the others: as in the node."""

    policy: str = stream_option('policy')
    p: float = stream_option('p')
    read_every: int = stream_option('read_every', metavar='K')
    max_consecutive_forecasts: int = stream_option('max_consecutive_forecasts', metavar='N')
    budget: str = stream_option('budget')
    budget_target: float = stream_option('budget_target')

    def check_policy(self) -> None:
        """:raises OptionError: for an option that the policy does not take, or no budget does."""
        if Budget(self.budget) is Budget.NONE:
            self.refuse(['budget_target'], 'is for --budget, which is none; give it, too')
        steering = {'max_consecutive_forecasts': self.max_consecutive_forecasts}
        asked = decisions(self.policy, self.p, self.read_every, steering)
        self.refuse(
            [name for name, value in asked.items() if value is None],
            f'policy {self.policy} takes none; leave it out, or choose another --policy')

    def steering(self) -> dict[str, Any]:
        """Give these settings of a stream."""
        return {
            'policy': Policy(self.policy), 'p': self.p, 'read_every': self.read_every,
            'max_consecutive_forecasts': self.max_consecutive_forecasts,
            'budget': Budget(self.budget), 'budget_target': self.budget_target,
        }


@dataclass(frozen=True, kw_only=True)
class WishOptions(Command):
    """What p is recommended for."""

    want_share: float | None = option(
        'recommend p for at most this share of READs', None, options.unit, one_of='wish',
        metavar='S')
    want_ms: float | None = option(
        'recommend p for at most so many milliseconds a frame', None, options.above_zero,
        one_of='wish', metavar='MS')
    want_loss: float | None = option(
        'recommend p for at most so much less mAP, or agreement, (0 to 1) than at p=1', None,
        options.unit, one_of='wish', metavar='L')

    def wish(self) -> Wish:
        """Give what is asked for."""
        from ..evaluation.trade_off import Wish

        return Wish(self.want_share, self.want_ms, self.want_loss)

    def wish_in_words(self, measured: str, is_by_reading: bool) -> str:
        """
        Say why a point is recommended.

        :param measured: what accuracies are.
        :param is_by_reading: whether by what reading every frame gives.
        """
        if self.want_share is not None:
            return f'the highest {measured} with at most {self.want_share:g} of the frames READ'
        if self.want_ms is not None:
            return f'the highest {measured} within {self.want_ms:g} ms a frame'
        if self.want_loss is not None:
            return f'the fewest READs within {self.want_loss:g} less {measured} than at p = 1'
        ways = 'say what you want for another: --want-share, --want-ms or --want-loss'
        if is_by_reading:
            return f'as reading every frame is what is compared with; {ways}'
        return f'the highest {measured}, whatever it costs; {ways}'


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


def progress(iterable: Iterable[T], total: int | None = None, desc: str = '') -> Iterator[T]:
    """Show progress on stderr."""
    return iter(tqdm(iterable, total=total, desc=desc, unit='frame', dynamic_ncols=True))


def say(text: str) -> None:
    """Say something on stderr, on a line of its own even while progress is shown."""
    tqdm.write(text, file=sys.stderr)


def note(text: str) -> None:
    """Say something that is worth knowing."""
    say(f'note: {text}')


def stoppable(train: Callable[[], int]) -> int:
    """
    Run a training that SIGTERM and Ctrl-C stop between two steps, its state saved.

    :returns: its exit status, or that of a process which the signal ended.
    """
    from ..training import interrupt

    try:
        with interrupt.graceful():
            return train()
    except interrupt.InterruptedTraining as stopped:
        print(f'forecast-detector: {stopped}', file=sys.stderr)
        return 128 + stopped.signum


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
