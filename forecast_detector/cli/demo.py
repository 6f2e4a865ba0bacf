"""Run the detector in a live ROS 2 graph on the synthetic world, a video or a bag."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import signal

from ..checkpoint import load_checkpoint
from ..demo.show import run as run_show
from ..demo.show import Show
from ..demo.source import check_source, SYNTHETIC
from ..demo.summary import read_numbers, summarise, table
from ..device import select_device
from ..node import require_ros
from ..records import write
from . import options
from .command import option, stream_option
from .common import clear_results, DeviceOptions
from .live_line import LiveLine

OURS = ('bag', 'annotated.mp4', 'numbers.json', 'summary.json', 'live.json', 'log')


@dataclass(frozen=True, kw_only=True)
class Demo(DeviceOptions):
    """Options of ``demo``."""

    video: Path | None = option('video file to play; default: synthetic world', None, Path,
                                one_of='source')
    bag: Path | None = option('rosbag2 folder or .mcap file to play', None, Path, one_of='source')
    topic: str = option('image topic of the bag; default: its only', '')
    p: float = stream_option('p')
    weights: str = option(
        'shipped name or file; default: synthetic for its world, else foda', '')
    frames: int = option('stop after N frames; default: 0, all', 0, options.whole(0), metavar='N')
    rate: float = option("frames a second; default: the source's own", 0.0, options.number(0.0),
                         metavar='HZ')
    out: Path = option('folder of the results', Path('out/demo'), Path)

    def choose(self) -> tuple[str, str]:
        """Choose source and weights."""
        path = self.video or self.bag
        source = str(path.resolve()) if path else SYNTHETIC
        return source, self.weights or ('foda' if path else SYNTHETIC)

    def run(self) -> int:
        """Run the processes, then sum up."""
        if not self.bag:
            self.refuse(['topic'], 'is for --bag')
        options.check_folder('--out', self.out)
        require_ros()
        select_device(self.device)  # a missing one is named here, not in a log
        source, weights = self.choose()
        fps = check_source(source, self.topic)
        checkpoint = load_checkpoint(weights)  # a bad file is named here, not in a log
        clear_results(self.out, OURS, self.video or self.bag)
        show = Show(
            source, checkpoint.path, self.out, self.p, self.rate or fps, self.device, self.topic,
            self.frames, self.rate,
        )
        line = LiveLine()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # processes end with this one
        try:
            numbers = read_numbers(run_show(show, line.say, line.note))
        finally:
            line.end()
        name = str(self.video or self.bag or SYNTHETIC)
        summary = summarise(numbers, name, weights, self.p)
        write(self.out / 'summary.json', summary)
        print(table(summary, numbers))
        print(f'\n  {self.out}/: annotated.mp4, bag/, summary.json, numbers.json, log/')
        return 0
