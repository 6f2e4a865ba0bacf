"""What a replay found: the figures of an evaluation, and what became of each topic's images."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..data.base import Clip
from ..data.views import ClipView
from ..evaluation.result import EvaluationResult, named
from ..evaluation.run import ClipRun, latency, percentiles
from ..policies.step import Step
from ..scoring.metrics import ScoredClip
from ..types import Detections, Reason, StepFailure, StepResult
from .answers import Answer
from .recording import Recording

NAMED_STAMPS = 20


@dataclass
class Turn:
    """One camera in one turn of the bag: the steps, and the images that they answer."""

    clip: Clip
    run: ClipRun
    indices: list[int] = field(default_factory=list)

    def scored(self) -> ScoredClip:
        """Set answers beside truth; in an image without an answer nothing was found."""
        found = dict(zip(self.indices, self.run.steps))
        return ScoredClip(
            self.run.name,
            [found[i].detections if i in found else Detections() for i in range(len(self.clip))],
            [self.clip.truth(i) for i in range(len(self.clip))],
        )

    def missing(self) -> list[int]:
        """List the images without an answer."""
        return sorted(set(range(len(self.clip))) - set(self.indices))


@dataclass(frozen=True)
class TopicReport:
    """
    What became of the images of one topic.

    :ivar frames: images of all turns, with those that cannot be used.
    :ivar bad: images that could not be used, and messages that cannot be read.
    :ivar dropped: images that nothing was heard for, without the bad ones.
    :ivar unanswered_stamps_ns: of the bad and the dropped ones, the first few.
    :ivar resets: how often the stream was reset, by the reason given.
    :ivar latency_ms: of the steps, median and 95th percentile, decoding included.
    :ivar answer_ms: live, from publishing an image to hearing its answers.
    """

    frames: int
    answered: int
    bad: int
    dropped: int
    unanswered_stamps_ns: list[int]
    resets: dict[str, int]
    truth_topic: str | None
    read_share: float | None
    latency_ms: dict[str, dict[str, float] | None]
    answer_ms: dict[str, float] | None


class Collector:
    """Takes the answers of a replay; keeps figures, and detections where there is truth."""

    def __init__(self, recording: Recording, turns: int = 1, keep_detections: bool = False):
        """
        Start with nothing answered.

        :param keep_detections: keep those of images without truth, too (for a trace).
        """
        self.turns: dict[tuple[str, int], Turn] = {
            (topic, turn): Turn(clip, ClipRun(clip.name + (f' #{turn + 1}' if turn else '')))
            for turn in range(turns) for topic, clip in recording.clips.items()
        }
        self.bad = dict.fromkeys(recording.clips, 0)
        self._recording = recording
        self._keeps_all = keep_detections
        self._answer_ms: dict[str, list[float]] = {topic: [] for topic in recording.clips}
        self._resets: dict[str, dict[str, int]] = {topic: {} for topic in recording.clips}

    def add(self, answer: Answer) -> None:
        """Take an answer."""
        if isinstance(answer.outcome, StepFailure):
            self.bad[answer.topic] += 1
            return
        turn, decision = self.turns[answer.topic, answer.turn], answer.outcome.decision
        keeps = self._keeps_all or turn.clip.truth(answer.index).annotated
        turn.run.steps.append(_step(answer.outcome, keeps))
        turn.indices.append(answer.index)
        if decision.reason is Reason.RESET:
            counts = self._resets[answer.topic]
            counts[decision.reason_detail] = counts.get(decision.reason_detail, 0) + 1
        if answer.answer_ms is not None:
            self._answer_ms[answer.topic].append(answer.answer_ms)

    def runs(self) -> tuple[list[ClipRun], list[Clip]]:
        """Return the answered frames as runs, and the clips that they are of."""
        turns = [turn for turn in self.turns.values() if turn.indices]
        return [turn.run for turn in turns], [
            ClipView(turn.clip, turn.indices, turn.run.name) for turn in turns
        ]

    def scored(self) -> list[ScoredClip]:
        """Return detections and truth of the topics that have one."""
        return [turn.scored() for (topic, _), turn in self.turns.items()
                if self._recording.clips[topic].truth_topic is not None]

    def topics(self) -> dict[str, TopicReport]:
        """Sum up every topic."""
        return {topic: self._topic(topic) for topic in self._recording.clips}

    def _topic(self, topic: str) -> TopicReport:
        turns = [turn for (name, _), turn in self.turns.items() if name == topic]
        clip = self._recording.clips[topic]
        missing = [index for turn in turns for index in turn.missing()]
        answered = sum(len(turn.indices) for turn in turns)
        broken = clip.broken * len(turns)
        timed = latency([turn.run for turn in turns]) if answered else None
        return TopicReport(
            frames=len(clip) * len(turns) + broken, answered=answered,
            bad=self.bad[topic] + broken,
            dropped=max(0, len(missing) - self.bad[topic]),
            unanswered_stamps_ns=[clip.stamp_ns(index) for index in missing[:NAMED_STAMPS]],
            resets=self._resets[topic], truth_topic=clip.truth_topic,
            read_share=timed.read_share if timed else None,
            latency_ms={
                'read': named(timed.read_ms if timed else None),
                'forecast': named(timed.forecast_ms if timed else None),
            },
            answer_ms=named(percentiles(self._answer_ms[topic])),
        )


def _step(result: StepResult, keeps_detections: bool) -> Step:
    decision = result.decision
    return Step(
        result.detections if keeps_detections else Detections(), decision.action,
        decision.inference_ms, decision.confidence, reason=decision.reason,
    )


@dataclass(frozen=True)
class ReplayReport:
    """The figures of an evaluation (null without truth), and each topic's."""

    result: EvaluationResult
    topics: dict[str, TopicReport]

    def to_dict(self) -> dict[str, Any]:
        """Turn into plain values (JSON)."""
        return {
            **self.result.to_dict(),
            'topics': {name: asdict(topic) for name, topic in self.topics.items()},
        }

    def table(self) -> str:
        """Write for people."""
        result = self.result
        lines = [result.table()]
        for name, topic in self.topics.items():
            text = f'{name}: {topic.frames} images, {topic.answered} answered'
            text += f', {topic.dropped} dropped' if topic.dropped else ''
            text += f', {topic.bad} unusable' if topic.bad else ''
            if topic.read_share is not None:
                text += f', {topic.read_share:.1%} read'
            if topic.answer_ms:
                text += (f', heard after {topic.answer_ms["p50"]:.1f} ms '
                         f'(p95 {topic.answer_ms["p95"]:.1f} ms)')
            lines.append(text)
            lines += [f'  reset {n} times: {why}' for why, n in topic.resets.items()]
            truth = topic.truth_topic or 'none, so no precision'
            lines.append(f'  truth: {truth}')
        return '\n'.join(lines)
