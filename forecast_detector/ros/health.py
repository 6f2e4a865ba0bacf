"""How a camera's stream is doing: rates, latencies, and what is wrong with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
import time
from typing import Any

import numpy as np

from ..legible import line
from ..types import Action, Decision, Reason
from . import resets
from .ages import Ages
from .image_types import Offer, RAW
from .losses import Losses
from .mailbox import Counters
from .senders import Senders

WINDOW = 100
DISCOVERY_S = 2.0
# A kind of trouble, of which each case has a log line of its own.
BAD = 'bad images'
# The slowest step that is no trouble yet.
PATIENCE_S = 5.0
HINT = (
    ' (if its publisher is running: see docs/node.md, troubleshooting)'
)


@dataclass(frozen=True)
class Answer:
    """One frame that was answered; times in milliseconds, the moment in monotonic seconds."""

    at_s: float
    latency_ms: float
    age_ms: float
    decision: Decision


@dataclass(frozen=True)
class Finding:
    """
    What a camera's state amounts to.

    :ivar kind: names the trouble, '' for none; a log line is due when one comes.
    :ivar text: the trouble in words, with the topic's name.
    :ivar is_open: whether it is yet to be seen how the camera does: nothing was answered.
    :ivar parts: the troubles by themselves where there are several.
    """

    kind: str
    text: str
    is_open: bool = False
    parts: tuple[Finding, ...] = ()

    @property
    def troubles(self) -> tuple[Finding, ...]:
        """Each trouble by itself."""
        return self.parts or ((self,) if self.kind else ())

    @classmethod
    def of(cls, troubles: Sequence[Finding]) -> Finding:
        """Put one or several troubles together."""
        if len(troubles) == 1:
            return troubles[0]
        kinds, texts = (', '.join(t.kind for t in troubles), '; '.join(t.text for t in troubles))
        return cls(kinds, texts, parts=tuple(troubles))


class CameraHealth:
    """Statistics of one camera over its last :data:`WINDOW` answers; safe between threads."""

    def __init__(self, topic: str, counters: Counters) -> None:
        """Start with nothing seen."""
        self.topic = topic
        self.counters = counters
        self.incompatible_qos = ''
        self.last_error = ''
        self.offer = Offer(RAW)
        self.ages = Ages()
        self.losses, self.senders = Losses(), Senders()
        self._answers: deque[Answer] = deque(maxlen=WINDOW)
        self._lock = Lock()
        self._reported_bad = 0
        self._begin()

    def _begin(self) -> None:
        """Count from now on, with nothing seen."""
        self._last_seen_s = time.monotonic()
        self._had_publishers = False
        self._is_answered = self._is_bad = False
        self._received_at_start = self.counters.received
        self._waiting_since_s: float | None = None
        self._waiting_from = 0

    def start(self, offer: Offer) -> None:
        """
        Count silence and rates from now on (the camera was just subscribed to).

        :param offer: the type that it was subscribed to.
        """
        self.offer = offer
        self.incompatible_qos = ''
        self.ages.clear()
        self.losses.clear()
        self.senders.clear()
        self._begin()
        with self._lock:
            self._answers.clear()

    def saw_offer(self, offer: Offer) -> None:
        """Note that publishers of other types are there, or gone; it begins anew."""
        self.offer = offer
        self._last_seen_s = time.monotonic()
        self._is_answered, self._received_at_start = False, self.counters.received

    def saw_image(self) -> None:
        """Note that an image has come."""
        self.incompatible_qos = ''
        self._last_seen_s = now_s = time.monotonic()
        if self._waiting_since_s is None:
            self._waiting_from, self._waiting_since_s = self.counters.received, now_s
        self.counters.count('received')

    def saw_arrival(self, info: Mapping[str, Any]) -> None:
        """
        Count the images that were lost before one that has come, and note who sent it.

        :param info: what the middleware says of that.
        """
        self.senders.saw(info)
        self.counters.count('lost', self.losses.saw(info))

    def saw_error(self, error: Exception) -> None:
        """Note that an image could not be used."""
        self.counters.count('bad')
        self.last_error, self._is_bad = line(error), True
        self._waiting_since_s = None

    def saw_stale(self) -> None:
        """Note that an image was too old when its turn came."""
        self._waiting_since_s = None

    def saw_answer(self, received_s: float, age_ms: float, decision: Decision) -> None:
        """Note that a frame was answered."""
        self.counters.count('processed')
        now_s = time.monotonic()
        self._waiting_since_s, self._is_answered, self._is_bad = None, True, False
        with self._lock:
            self._answers.append(Answer(now_s, (now_s - received_s) * 1e3, age_ms, decision))

    def finding(
        self, publishers: int, timeout_s: float, max_age_s: float = 0.0, is_simulated: bool = False
    ) -> Finding:
        """
        Say what is wrong with this camera, if anything.

        Where no images come, that is all there is to say; otherwise each trouble is named.

        :param publishers: of the image topic, as the graph knows it.
        :param timeout_s: silence that is tolerated; 0 tolerates any.
        :param max_age_s: older images are dropped; 0 is no limit.
        :param is_simulated: whether ROS time comes from ``/clock``.
        """
        if publishers and not self._had_publishers:  # it has just come: silence begins now
            self._last_seen_s = time.monotonic()
        self._had_publishers = publishers > 0
        silence_s = time.monotonic() - self._last_seen_s
        if publishers == 0 and silence_s > (timeout_s or DISCOVERY_S):
            return Finding('no publisher', f'no publisher on {self.topic}')
        types = self.offer.trouble(self.topic)
        if types and not self.offer.is_heard:
            return Finding(f'types {self.offer.others}', types)
        if self.incompatible_qos:
            return Finding(
                'incompatible QoS',
                f'a publisher on {self.topic} offers an incompatible QoS '
                f'({self.incompatible_qos}): its images do not arrive',
            )
        if timeout_s and silence_s > timeout_s:
            hint = f'; {types}' if types else HINT
            return Finding('silence', f'no images on {self.topic} for {silence_s:.1f} s{hint}')
        resets_often = self._resets(publishers)  # which says the same of several publishers
        found = [Finding(kind, text) for kind, text in (
            ('stamps', self._named(self.ages.trouble(max_age_s, is_simulated))),
            ('resets', self._named(resets_often)),
            ('senders', self._named('' if resets_often else self.senders.trouble())),
            (BAD, self._unusable(publishers)),
            (f'types {self.offer.others}', types),
            ('losses', self._named(self.losses.trouble())),
            ('no answers', self._named(self._unanswered(timeout_s))),
        ) if text]
        return Finding.of(found) if found else self._fine()

    def _named(self, trouble: str) -> str:
        return f'{self.topic}: {trouble}' if trouble else ''

    def _unusable(self, publishers: int) -> str:
        """Say that images could not be used, lately or none was better since; '' for none."""
        new = self.counters.bad - self._reported_bad
        self._reported_bad = self.counters.bad
        if not new and not self._is_bad:
            return ''
        several = f'; {publishers} publishers send on this topic' if publishers > 1 else ''
        number = f'{new} ' if new else ''
        return f'{number}unusable images on {self.topic}: {self.last_error}{several}'

    def _fine(self) -> Finding:
        """Say that nothing is wrong, and no more than that where nothing was answered yet."""
        if self._is_answered:
            return Finding('', f'{self.topic} is running')
        received = self.counters.received - self._received_at_start
        text = f'{received} images came, none is answered yet' if received else (
            'waiting for the first image')
        return Finding('', f'{self.topic}: {text}', is_open=True)

    def p(self) -> float | None:
        """Give the p that was in force in the last answer; None before there is one."""
        with self._lock:
            return self._answers[-1].decision.threshold if self._answers else None

    def shares(self) -> tuple[int, int]:
        """Count the READs among the last answers, and those."""
        with self._lock:
            answers = list(self._answers)
        return sum(answer.decision.action == Action.READ for answer in answers), len(answers)

    def _resets(self, publishers: int) -> str:
        with self._lock:
            decisions = [answer.decision for answer in self._answers]
        return resets.trouble(decisions, publishers)

    def _unanswered(self, timeout_s: float) -> str:
        """Say that images come and none is answered; a step may take its time."""
        since_s, received = self._waiting_since_s, self.counters.received - self._waiting_from
        if since_s is None:
            return ''
        waits_s = time.monotonic() - since_s
        if waits_s <= max(timeout_s, PATIENCE_S):
            return ''
        return (
            f'{received} images came in {waits_s:.1f} s and none was answered '
            f'({self.counters.dropped} dropped, {self.counters.stale} stale, {self.counters.bad} '
            'bad in all): the step takes long, or the device hangs; see docs/node.md'
        )

    def figures(self) -> dict[str, str]:
        """Give counters and statistics as text, for diagnostics."""
        counters = self.counters
        figures = {
            name: str(getattr(counters, name))
            for name in ('received', 'processed', 'dropped', 'stale', 'bad', 'decoded', 'lost')
        }
        with self._lock:
            answers = list(self._answers)
        figures['type'] = self.offer.taken
        offset_s = self.ages.offset_s()
        if offset_s is not None:
            figures['stamp_offset_s'] = f'{offset_s:.3f}'
        if len(answers) < 2:
            return figures
        latencies = [answer.latency_ms for answer in answers]
        reads = sum(answer.decision.action == Action.READ for answer in answers)
        newest = answers[-1]
        ages = [answer.age_ms for answer in answers]
        # Under a fixed policy p decides nothing.
        fixed = newest.decision.reason is Reason.POLICY
        return figures | {
            'rate_hz': f'{(len(answers) - 1) / max(newest.at_s - answers[0].at_s, 1e-9):.2f}',
            'latency_ms_p50': f'{np.percentile(latencies, 50):.1f}',
            'latency_ms_p95': f'{np.percentile(latencies, 95):.1f}',
            'image_age_ms': f'{newest.age_ms:.1f}',
            'image_age_ms_p95': f'{np.percentile(ages, 95):.1f}',
            'since_answer_s': f'{time.monotonic() - newest.at_s:.2f}',
            'frames_since_read': str(newest.decision.frames_since_read),
            'read_share': f'{reads / len(answers):.3f}',
            **({} if fixed else {'p': f'{newest.decision.threshold:g}'}),
        }
