"""
Replay a bag: what the detector says to every recorded image.

Offline (no ROS needed) every image is stepped, as fast as it goes. With --live the bag is played
into the detector node in a ROS graph of its own, with /clock, and its answers are heard; frames
that a busy node drops are counted, or none is with --lossless. Both ways give the same files in
--out: a bag with detections and decisions, and the report (also --json). With
--reference read every image is read once more, and what that gives stands in the truth's place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import shutil
import sys
from typing import get_args, TYPE_CHECKING

from ..bags import BagError
from ..bags.writer import Storage
from ..config import StreamConfig
from ..records import write
from ..records.evaluation import Provenance
from ..report.tables import evaluation_table
from ..types import Policy, StepFailure
from . import common, options
from .command import option, stream_option
from .common import DetectorOptions, JsonOptions, PolicyOptions
from .data import ReferenceOptions, tell_unfinished
from .live_line import LiveLine

if TYPE_CHECKING:
    from ..engine import StreamingDetector
    from ..replay.answers import Answer
    from ..replay.collector import Collector
    from ..replay.recording import Recording

NAMED = 5  # unusable images; more are only counted
OURS = ('bag', 'heard', 'report.json', 'live.json', 'log')


@dataclass(frozen=True, kw_only=True)
class ReplayCommand(JsonOptions, DetectorOptions, PolicyOptions, ReferenceOptions):
    """Options of ``replay``."""

    bag: Path = option('rosbag2 folder, .mcap or .db3 file', parse=Path)
    image_topic: Sequence[str] = option('one a camera; default: the only one of the bag', (),
                                        nargs='+', action='extend', metavar='T')
    truth_topic: Sequence[str] = option(
        'Detection2DArray to score by, one a camera in their order; default: the one beside the '
        'camera, or the only one', (), nargs='+', action='extend', metavar='T')
    no_truth: bool = option('take no truth: score nothing, or by --reference read alone', False)
    weights: str = option('file or shipped name', 'coco')
    max_gap_s: float = stream_option('max_gap_s', metavar='S')
    score_threshold: float = stream_option(
        'score_threshold', 'weaker detections are scored but not written')
    loop: int = option('play the bag N times', 1, options.whole(1), metavar='N')
    live: bool = option('through the node; needs ROS 2', False, section='live')
    rate: float = option(
        'times the recorded speed; 0, with --lossless, is as fast as it answers', 1.0,
        options.number(0.0), section='live', metavar='R')
    lossless: bool = option('drop nothing: play no faster than the node answers', False,
                            section='live')
    out: Path | None = option(
        'an earlier replay there is replaced; default: out/replay/NAME', None, Path,
        section='what is written', metavar='DIR')
    storage: Storage = option('of the bag', 'mcap', choices=get_args(Storage),
                              section='what is written')
    with_images: bool = option('copy images and truth into the bag, too', False,
                               section='what is written')
    trace: bool = option('add every decision and a few pictures to the JSON, for the report',
                         False, section='what is written')

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or Path('out/replay') / self.bag.resolve().stem

    def run(self) -> int:
        """Replay; frames that cannot be used are named and passed over."""
        config = self._check()
        options.check_folder('--out', self.folder)
        return self._live(config) if self.live else self._offline(config)

    def _check(self) -> StreamConfig:
        """
        See that the options go together.

        :returns: how streams are stepped; weak detections are kept for the score.
        :raises OptionError: if they do not.
        """
        from ..policies.step import SCORE_THRESHOLD

        self.check_reference()
        if not self.live:
            self.refuse(('rate', 'lossless'), 'is for --live; offline, every frame is stepped as '
                                              'fast as it goes')
        if self.rate == 0 and not self.lossless:
            raise options.OptionError('--rate: 0 is not above 0 (0 is for --lossless)')
        if self.no_truth:
            self.refuse(['truth_topic'], 'there is none to be taken with --no-truth')
        self.check_policy()
        if len(set(self.image_topic)) < len(self.image_topic):
            raise options.OptionError(f'--image-topic: one of {self.image_topic} is named twice')
        options.check_outputs(self, ['json'], [self.bag])
        return StreamConfig(
            **self.steering(), max_gap_s=self.max_gap_s,
            score_threshold=min(SCORE_THRESHOLD, self.score_threshold),
        )

    def _offline(self, config: StreamConfig) -> int:
        from ..evaluation.provenance import origin
        from ..replay.answers import answer_offline

        detector, checkpoint = self.make_detector(config)
        recording = self._open(detector.labels)
        common.clear_results(self.folder, OURS, recording.path)
        recording = self._with_reference(recording, config, lambda config: detector)
        answers = answer_offline(recording, detector, self.loop)
        collector = self._collect(recording, detector.labels, answers)
        found = origin(self.weights, checkpoint.sha256, detector)
        config = config.suited(detector.network.moves)
        return self._finish(config, recording, collector, detector.labels, found, detector)

    def _live(self, config: StreamConfig) -> int:
        from ..checkpoint import load_checkpoint
        from ..device import select_device
        from ..evaluation.provenance import weights_origin
        from ..node import require_ros
        from ..replay.live import LiveReplay

        require_ros()
        select_device(self.device)  # a missing one is named here, not in a log
        checkpoint = load_checkpoint(self.weights)
        labels, size = checkpoint.config.labels, self.size
        recording = self._open(labels)
        replay = LiveReplay(
            recording, config, checkpoint.path, self.folder, self.device, size, self.resize,
            self.rate, self.loop, self.lossless,
        )
        replay.check()
        common.clear_results(self.folder, OURS, recording.path)
        line = LiveLine()
        try:
            device_note = replay.play(line.say, line.note)
        finally:
            line.end()
        recording = self._with_reference(
            recording, config, lambda config: self.make_detector(config)[0])
        collector = self._collect(recording, labels, replay.answers(labels))
        collector.bad.update(replay.bad())
        shutil.rmtree(self.folder / 'heard')
        config = config.suited(checkpoint.network.moves)
        return self._finish(config, recording, collector, labels, weights_origin(
            self.weights, checkpoint.sha256, size or checkpoint.config.input_size,
            self.resize or checkpoint.config.resize, str(select_device(self.device)[0]),
            device_note), None)

    def _open(self, labels: tuple[str, ...]) -> Recording:
        from ..replay.recording import open_recording

        try:
            recording = open_recording(
                self.bag, labels, self.image_topic, self.truth_topic, not self.no_truth
            )
        except BagError:
            raise
        except ValueError as error:
            raise ValueError(f'{error}; or replay with --no-truth') from error
        for doubt in recording.doubts:
            common.note(doubt)
        return recording

    def _with_reference(
        self, recording: Recording, config: StreamConfig,
        make_detector: Callable[[StreamConfig], StreamingDetector],
    ) -> Recording:
        """Read every image first, if that is to be judged by."""
        from ..replay.answers import answer_offline
        from ..replay.reference import with_reference

        if self.reference != 'read':
            return recording
        detector = make_detector(config).variant()  # with streams of its own
        detector.config = config.replace(policy=Policy.READ)
        answers = common.progress(
            answer_offline(recording, detector), len(recording), 'reference')
        return with_reference(recording, answers, self.reference_score)

    def _collect(
        self, recording: Recording, labels: tuple[str, ...],
        answers: Iterator[Answer],
    ) -> Collector:
        """Write the answers to the bag as they come, and take them down."""
        from ..replay.collector import Collector
        from ..replay.writing import AnswerWriter

        collector = Collector(recording, self.loop, keep_detections=self.trace)
        shown: Iterable[Answer] = common.progress(answers, len(recording) * self.loop, 'replay')
        with AnswerWriter(
            self.folder / 'bag', recording, labels, self.score_threshold, self.storage, self.loop,
            self.with_images,
        ) as bag:
            for answer in shown:
                collector.add(answer)
                bad = sum(collector.bad.values())
                if isinstance(answer.outcome, StepFailure) and bad <= NAMED:
                    common.note(f'passed over: {answer.outcome.error}')
                bag.write(answer)
        return collector

    def _finish(
        self, config: StreamConfig, recording: Recording, collector: Collector,
        labels: tuple[str, ...], origin: Provenance, detector: StreamingDetector | None,
    ) -> int:
        """Score, write the report, and show it."""
        from ..replay.scoring import make_replay, replay_origin

        tell_unfinished(recording.clips.values())
        provenance = replay_origin(
            str(self.bag), origin, recording.clips.values(), config, self.live, self.lossless,
            self.rate, self.loop, self.score_threshold,
        )
        result = make_replay(
            recording, collector, labels, {**provenance, **self.describe_reference()},
            common.note, self.judging(self.score_threshold))
        if self.trace:
            from ..evaluation.trace import make_trace

            runs, clips = collector.runs()
            result = replace(result, trace=make_trace(runs, clips, labels, detector))
        write(self.folder / 'report.json', result)
        if self.json:
            write(self.json, result)
        if self.json != '-':
            print(evaluation_table(result))
            print(f'{self.folder}/: bag/, report.json')
        lost = sum(topic.dropped for topic in result.topics.values())
        if self.lossless and lost:
            print(f'forecast-detector: error: lossless, but {lost} images were not answered; see '
                  f'{self.folder}/log', file=sys.stderr)
            return 1
        return 0
