"""
Measure weights on a data set by the ImageNet VID protocol.

With --stride K a clip is the video of every K-th frame: it is that much faster for the
detector, and motion (slow, medium, fast) is measured on it.

With --reference read what reading every frame gives, with the same weights, stands in the place
of the truth: agreement50 instead of map50. That takes one more pass, and no annotations. Objects
that are annotated nevertheless, be it some of them, give annotated_recall50 and annotated_overlap.

With --dataset rosbag --root may be a folder of bags. A bag that cannot be used (broken, empty,
truncated, without the topic, of unknown types) is named and skipped, the rest is measured, and
the exit status is 3. It is 1 after an error, 2 for options that are wrong or do not go together.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
import sys
from typing import Any, TYPE_CHECKING

from tqdm import tqdm

from ..data.registry import RECORDINGS
from ..policies.table import CARRIERS, decisions, POLICIES, TABLE
from ..records import write
from ..records.evaluation import Evaluation, Provenance
from ..report.tables import evaluation_table
from . import common, options
from .command import option, stream_option
from .common import DetectorOptions, JsonOptions, StreamOptions
from .data import MeasuredOn, SkippedBags, tell_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..data.base import ClipDataset
    from ..evaluation.job import Job
    from ..evaluation.measure import Measured
    from ..evaluation.run import Latency
    from ..evaluation.streaming_ap import Latencies
    from ..scoring.metrics import ScoredClip

# What asks for something that scoring a file again cannot give.
RUN_OPTIONS = (
    'policy', 'p', 'read_every', 'max_consecutive_forecasts', 'no_accumulate',
    'no_commit', 'no_blend', 'nms_iou', 'sap', 'latency', 'anticipate',
    'reference', 'dump', 'trace', 'workers', 'ray', 'input_size', 'resize', 'device',
    'backend',
)
OPTIONS = {'accumulate': 'no_accumulate', 'commit_on_forecast': 'no_commit', 'blend': 'no_blend'}


def _latency(text: str) -> Latencies:
    from ..evaluation.streaming_ap import Latencies

    parse = options.number(0.0)
    try:
        times = [parse(part.strip()) for part in text.split(',')]
        if len(times) not in (2, 3):
            raise argparse.ArgumentTypeError(f'{text!r} has {len(times)}')
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f'{error}; two or three times in milliseconds are expected, READ_MS,FORECAST_MS or '
            'READ_MS,FORECAST_MS,AHEAD_MS, such as 60,12'
        ) from None
    return Latencies(*times)


@dataclass(frozen=True, kw_only=True)
class EvaluateCommand(JsonOptions, DetectorOptions, StreamOptions, MeasuredOn):
    """Options of ``evaluate``."""

    weights: str = option('file or shipped name, such as coco', '', one_of='source',
                          required=True)
    source: str | None = option(
        'score these detections (COCO results) again; opens neither images nor weights',
        None, flags=['--from'], one_of='source', required=True, metavar='FILE')
    policy: str = option(
        'which frames are read, and what answers the others: the forecast (scheduler, alternate, '
        'oracle), the features of the last READ (copy) or its boxes '
        f'({", ".join(CARRIERS)}; scheduled_NAME: read as by scheduler)',
        'scheduler', choices=POLICIES)
    p: float = stream_option('p')
    read_every: int = stream_option(
        'read_every', 'frames a READ, for all but scheduled ones and read', metavar='K')
    nms_iou: float = stream_option('nms_iou')
    sap: bool = option(
        'simulate streaming average precision, too: a second pass, in which steps take their '
        'time and frames are missed', False)
    latency: Latencies | None = option(
        'with --sap: plan for these step times, not the measured ones. AHEAD_MS is that of '
        '--anticipate, default: FORECAST_MS. Where boxes are carried (hold, say) FORECAST_MS '
        'is the time of that, near 0', None, _latency, metavar='READ_MS,FORECAST_MS[,AHEAD_MS]')
    anticipate: bool = option(
        'with --sap: detect on the forecast of the next frame, too (where boxes are carried: '
        'carry them on to it)', False)
    versus: str | None = option(
        'compare with these detections (COCO results) of the same frames: difference of mAP (or '
        'agreement) with '
        'a paired bootstrap over clips', None, metavar='FILE')
    interval: bool = option(
        'tell how sure mAP (or agreement) is: its 95 % interval, of a bootstrap over clips', False)
    dump: str | None = option('write the detections (COCO results)', None, metavar='FILE')
    trace: bool = option(
        'keep the decisions of every frame, and a few pictures, in the JSON (for report)', False)
    workers: int | None = option(
        'processes that share the clips or bags; the figures are those of one process, but for '
        'the times: they share the cores; default: 1', None, options.whole(1), metavar='N')
    ray: str | None = option(
        "share the clips or bags on the Ray cluster there ('auto': the one that this machine is "
        'part of); without ADDRESS one is started on this machine. --workers then defaults to '
        'its cores, or GPUs', None, nargs='?', const='', metavar='ADDRESS')

    def run(self) -> int:
        """Evaluate."""
        from ..scoring.dump import check_dump

        skipped = SkippedBags()
        self.check_data()
        self.check_reference()
        if self.source is not None:
            self.refuse(RUN_OPTIONS, 'needs weights to run; --from only scores again')
        else:
            self._check()
        options.check_outputs(self, ('json', 'dump'), (self.source, self.versus))
        if self.versus is not None:
            check_dump(self.versus)
        result = self._measure(skipped) if self.source is None else self._score_again(skipped)
        if self.json:
            write(self.json, result)
        if self.json != '-':
            print(evaluation_table(result))
        return skipped.status

    def changes(self) -> dict[str, Any]:
        """Give the settings of a stream that are asked for."""
        return {**super().changes(), 'nms_iou': self.nms_iou}

    def settings(self) -> dict[str, Any]:
        """Say which decisions are asked for; null where the policy takes none."""
        return decisions(self.policy, self.p, self.read_every, self.changes())

    def _check(self) -> None:
        """
        See that the options of a run go together.

        :raises OptionError: for options that ask for nothing, or for what cannot be.
        """
        if not self.sap:
            self.refuse(('latency', 'anticipate'), 'is for --sap; give it, too')
        if self.latency and self.latency.anticipation is not None and not self.anticipate:
            raise options.OptionError('--latency: AHEAD_MS is for --anticipate; give it, too, or '
                                      'two times only')
        if self.policy == 'oracle':
            self.refuse(['sap'], 'the oracle knows the truth before it acts')
            self.refuse(('workers', 'ray'), 'the oracle weighs all frames together')
            self.refuse(['nms_iou'], 'the oracle takes none')
        if self.ray is not None:
            from ..evaluation.many import require_ray
            require_ray()
        if self.trace and not self.json:
            raise options.OptionError('--trace goes into the JSON; give --json, too')
        unfit = [OPTIONS.get(name, name) for name, value in self.settings().items()
                 if value is None]
        self.refuse(unfit, f'policy {self.policy} takes none; leave it out, or choose another '
                           '--policy')

    def _job(self) -> Job:
        """Load the weights, and gather what is done with each clip."""
        from ..checkpoint import load_checkpoint
        from ..evaluation.job import Job

        decisions = self.settings()
        return Job(
            load_checkpoint(self.weights), self.device, self.size, self.resize, self.policy,
            self.p if TABLE[self.policy].takes_p else 1.0, self.read_every,
            {name: decisions[name] for name in self.changes() if decisions[name] is not None},
            self.sap, self.latency, self.anticipate, self.judging(self.score_threshold),
            self.backend,
        )

    def _measure(self, skipped: SkippedBags) -> Evaluation:
        from ..evaluation.detections import dump
        from ..evaluation.provenance import origin, run_origin

        job = self._job()
        detector = job.detector()
        print(detector.device_note, file=sys.stderr)
        measured = self._run(job, skipped)
        dataset = measured.dataset
        if self.dump:
            # Recordings number no classes: which number means what depends on who asks.
            dump(self.dump, dataset, measured.runs, self.dataset in RECORDINGS)
        if self.sap:
            _tell_arrivals(dataset)
        result = self._result(dataset, measured.scored(), measured.timed, {
            **origin(self.weights, job.checkpoint.sha256, detector),
            **run_origin(self.workers, self.ray, self.anticipate, self.latency, self.settings()),
        }, skipped, measured.streaming(job.judging))
        if not self.trace:
            return result
        from ..evaluation.trace import make_trace
        return replace(result, trace=make_trace(
            measured.runs, dataset.clips, dataset.labels, detector, self.p))

    def _run(self, job: Job, skipped: SkippedBags) -> Measured:
        """Run the job over the data."""
        from ..evaluation.measure import measure, measure_oracle, Sources

        labels = job.checkpoint.config.labels
        if self.policy == 'oracle':
            dataset = self.open_data(labels, skipped)
            with tqdm(unit='frame', desc='oracle', dynamic_ncols=True) as bar:
                return measure_oracle(job, dataset, self.on_bad(skipped), bar.update)
        sources = Sources.of(self.dataset, self.place(labels, skipped), self.stride)
        total = job.passes * sources.frames if sources.frames else None
        desc = self.policy if job.passes == 1 else f'reference, then {self.policy}'
        with tqdm(unit='frame', total=total, desc=desc, dynamic_ncols=True) as bar:
            return measure(job, sources, skipped.add, bar.update, self.workers, self.ray)

    def _score_again(self, skipped: SkippedBags) -> Evaluation:
        from ..evaluation.detections import read
        from ..evaluation.provenance import scored_again

        source = self.source or ''
        dataset = self.open_data(None, skipped, needs_images=False)
        scored, file = read(source, dataset, common.note)
        again = scored_again(source, file.results, file.elsewhere, file.foreign)
        return self._result(dataset, scored, None, again, skipped)

    def _result(
        self, dataset: ClipDataset, scored: Sequence[ScoredClip], timed: Latency | None,
        provenance: Provenance, skipped: SkippedBags, streaming: float | None = None,
    ) -> Evaluation:
        from ..evaluation.detections import compare, how_sure
        from ..evaluation.result import make_record

        annotated = sum(clip.annotated for clip in scored)
        judging = self.judging(self.score_threshold)
        if not judging.by_reading:
            tell_part(annotated, len(dataset))
        key = 'streaming_agreement50' if judging.by_reading else 'sap50'
        result = make_record(
            Evaluation, scored, dataset.labels, timed, common.note, judging, frames=len(dataset),
            clips=len(scored), annotated=annotated, skipped=skipped.rows,
            provenance={**provenance, **self.describe(dataset.clips)}, **{key: streaming},
        )
        if self.versus is not None:
            result = replace(result, versus=compare(
                self.versus, dataset, scored, common.note, judging))
        if self.interval and result.ap50 is not None:
            result = replace(result, interval=how_sure(scored, dataset.labels, judging))
        return result


def _tell_arrivals(dataset: ClipDataset) -> None:
    """Tell of clips whose stamps do not say when their frames came."""
    from ..evaluation.streaming_ap import arrivals

    for clip in dataset.clips:
        odd = arrivals(clip)[1]
        if odd is not None:
            common.note(odd)
