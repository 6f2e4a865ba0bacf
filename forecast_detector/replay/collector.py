"""What became of each topic's images in a replay."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..data.base import Clip
from ..data.views import ClipView
from ..evaluation.run import ClipRun, latency, percentiles, scored
from ..policies.step import Step
from ..records.evaluation import StepTimes, Topic
from ..scoring.metrics import ScoredClip
from ..types import Detections, Reason, StepFailure
from .answers import Answer
from .recording import Recording

NAMED_STAMPS = 20


@dataclass
class CameraTurn:
    """One camera in one turn of the bag: the steps, and the images that they answer."""

    clip: Clip
    run: ClipRun
    indices: list[int] = field(default_factory=list)

    def scored(self) -> ScoredClip:
        """Set answers beside truth; in an image without an answer nothing was found."""
        found = dict(zip(self.indices, self.run.steps))
        return replace(scored(self.clip, [
            found[i].detections if i in found else Detections() for i in range(len(self.clip))
        ]), name=self.run.name)

    def missing(self) -> list[int]:
        """List the images without an answer."""
        return sorted(set(range(len(self.clip))) - set(self.indices))


class Collector:
    """Takes the answers of a replay; keeps figures, and detections where they are judged."""

    def __init__(self, recording: Recording, turns: int = 1, keep_detections: bool = False):
        """
        Start with nothing answered.

        :param keep_detections: keep those of images without truth, too (for a trace).
        """
        self.turns: dict[tuple[str, int], CameraTurn] = {
            (topic, turn): CameraTurn(
                recording.judged(topic), ClipRun(clip.name + (f' #{turn + 1}' if turn else '')))
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
        step = Step.of(answer.outcome, decision.inference_ms)
        turn.run.steps.append(step if keeps else replace(step, detections=Detections()))
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
        """Return detections and truth of the topics that have one, or a reference."""
        recording = self._recording
        return [turn.scored() for (topic, _), turn in self.turns.items()
                if topic in recording.references
                or recording.clips[topic].truth_topic is not None]

    def topics(self) -> dict[str, Topic]:
        """Sum up every topic."""
        return {topic: self._topic(topic) for topic in self._recording.clips}

    def _topic(self, topic: str) -> Topic:
        turns = [turn for (name, _), turn in self.turns.items() if name == topic]
        clip = self._recording.clips[topic]
        missing = [index for turn in turns for index in turn.missing()]
        answered = sum(len(turn.indices) for turn in turns)
        broken = clip.broken * len(turns)
        timed = latency([turn.run for turn in turns]) if answered else None
        return Topic(
            frames=len(clip) * len(turns) + broken, answered=answered,
            bad=self.bad[topic] + broken,
            dropped=max(0, len(missing) - self.bad[topic]),
            unanswered_stamps_ns=[clip.stamp_ns(index) for index in missing[:NAMED_STAMPS]],
            resets=self._resets[topic], truth_topic=clip.truth_topic,
            read_share=timed.read_share if timed else None,
            latency_ms=StepTimes(timed.read_ms, timed.forecast_ms) if timed else StepTimes(),
            answer_ms=percentiles(self._answer_ms[topic]),
        )
