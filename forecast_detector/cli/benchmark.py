"""
Measure what steps cost on this machine: READ, FORECAST and a plain detector, by backend.

Backends take turns frame by frame, so that none meets a quieter machine: compare within a run. The
images are made here and lie in memory, so that decoding one is a copy. Stages are watched in steps
of their own: what a step spends in each, all calls together and without what other stages take
within it, and the rest. CPU time is that of all threads, and is disturbed less by whatever else
the machine does. Accuracy is not measured; evaluate and sweep do that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import json
import subprocess
import sys
from typing import cast, get_args, TYPE_CHECKING

from ..config import Backend
from ..records import write
from ..records.benchmark import Benchmark, ClockMhz, NodeCost, Times
from ..records.codec import from_plain
from . import common, options
from .command import node_option, option
from .common import DeviceOptions, JsonOptions

if TYPE_CHECKING:
    from ..records.benchmark import BackendTimes

NODE = 'forecast_detector.ros.cost'


@dataclass(frozen=True, kw_only=True)
class BenchmarkCommand(JsonOptions, DeviceOptions):
    """Options of ``benchmark``."""

    weights: str = option('file or shipped name', 'coco')
    backend: Sequence[str] = option(
        'backends to measure side by side; the first one stands on top', ('auto',), nargs='+',
        choices=get_args(Backend))
    frames: int = option('frames of each measurement', 60, options.whole(4), metavar='N')
    threads: int = node_option(
        'cpu_threads', 'of a step on the CPU, at most as many as there are cores; 0 leaves them '
        'to PyTorch', metavar='N')
    brief: bool = option('one stream and images of 640x480 only', False)

    def run(self) -> int:
        """Measure, and print."""
        from ..benchmark.run import measure, summed_up
        from ..checkpoint import load_checkpoint
        from ..evaluation.provenance import clock_mhz, machine
        from ..threads import bounded, use_threads

        options.check_outputs(self, ['json'], [self.weights])
        if self.threads:
            use_threads(bounded('--threads', self.threads, common.note))
        checkpoint = load_checkpoint(self.weights)
        names = [cast(Backend, name) for name in dict.fromkeys(self.backend)]
        measured = measure(
            checkpoint, self.device, names, self.frames, self.brief,
            lambda what: common.say(f'measuring {what}'))
        clock = clock_mhz()
        record = summed_up(
            self.weights, checkpoint, machine(), checkpoint.config.input_size, measured,
            node_cost(self.frames), clock)
        if self.json:
            write(self.json, record)
        if self.json != '-':
            show(record)
        return 0


def node_cost(frames: int) -> NodeCost | None:
    """Measure what messages cost, in a process that has ROS; None where there is none."""
    from ..node import require_ros

    try:
        require_ros()
    except RuntimeError as error:
        common.note(f'what messages cost is not measured: {error}')
        return None
    done = subprocess.run(
        [sys.executable, '-m', NODE, str(frames)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{NODE} ended with status {done.returncode}: {done.stderr[-500:]}')
    return from_plain(NodeCost, json.loads(done.stdout), NODE)


def show(record: Benchmark) -> None:
    """Print tables of a benchmark."""
    print(f'{record.weights}, images of {record.image_size[0]}x{record.image_size[1]}, '
          f'{record.threads} threads; {record.machine}{_clock(record.clock_mhz)}, '
          f'load {record.load:.1f}')
    print(', '.join(f'{name} {version}' for name, version in record.versions.items()))
    for one in record.backends:
        _show_backend(one, record)
    if record.node is not None:
        print('\nmessages in and out, without the model')
        _row(record.node.message, 'an image')


def _clock(mhz: ClockMhz | None) -> str:
    now, most = (mhz.now, mhz.most) if mhz is not None else (None, None)
    said = ([f'at {now:.0f} MHz'] if now else []) + ([f'at most {most:.0f} MHz'] if most else [])
    return ''.join(f', {words}' for words in said)


def _show_backend(one: BackendTimes, record: Benchmark) -> None:
    print(f'\n{one.name}: {one.note}; start {one.start_s:.1f} s')
    print(f'  {"milliseconds":32}{"least":>8}{"p50":>8}{"p95":>8}{"p99":>8}{"CPU":>8}'
          f'{"of plain":>10}')
    for name, times in (
        ('READ', one.read), ('READ, scheduler not asked', one.read_alone),
        ('FORECAST', one.forecast), ('FORECAST, boxes carried', one.carried),
        ('a quarter READ', one.quarter), ('a quarter READ, boxes carried', one.quarter_carried),
        ('  a FORECAST of these', one.carried_in_quarter),
        ('the same, scheduler not asked', one.quarter_flow),
        ('  a FORECAST of these', one.flow_in_quarter),
        ('plain detector', one.plain),
        ('plain detector, input padded', one.padded),
    ):
        if times is not None:
            _row(times, name, record.plain_ms)
    for kind, stages in (('READ', one.read_stages), ('FORECAST', one.forecast_stages)):
        _row(stages.step, f'{kind}, by stage')
        for times in stages.stages:
            _row(times, f'  {times.name}')
    for together in one.streams:
        _row(together.read, f'{together.streams} streams, all READ')
        _row(together.forecast, f'{together.streams} streams, all FORECAST')
    for size in one.sizes:
        _row(size.read, f'{size.width}x{size.height}, READ')
        _row(size.forecast, f'{size.width}x{size.height}, FORECAST')


def _row(times: Times, name: str, plain_ms: float | None = None) -> None:
    share = f'{times.p50 / plain_ms:10.2f}' if plain_ms else ''
    print(f'  {name:32}{times.least:8.2f}{times.p50:8.2f}{times.p95:8.2f}{times.p99:8.2f}'
          f'{times.cpu:8.2f}{share}')
