"""The rules of a stream: READ or FORECAST, and what breaks it. Here alone p is compared."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import NamedTuple, TypeVar

from torch import Tensor

from ..config import StreamConfig
from ..legible import legible
from ..types import Action, BadFrameError, Frame, Policy, Reason

# One stream's number, or those of a batch of streams.
C = TypeVar('C', float, Tensor)


def in_run(confidence: C, trust: C, accumulate: bool = True) -> C:
    """
    Give the confidence that is compared with p.

    If the scheduler gives the probability that one forecast serves, the product since the last
    READ is that of the whole run. READs then come at even distances where frames are alike,
    and sooner where they are hard, and an uninformed scheduler falls back to a fixed rule.

    :param confidence: the scheduler's, in the next forecast.
    :param trust: what this gave for the forecast before; 1 after a READ.
    :param accumulate: False takes the next forecast alone (the paper).
    """
    return confidence * trust if accumulate else confidence


def serves(confidence: C, p: C) -> C:
    """Say whether a forecast is trusted: strictly more than p, so p = 1 never is, nor NaN."""
    return confidence > p  # type: ignore[return-value]


@dataclass(frozen=True)
class SinceRead:
    """
    A stream since its last READ, as far as the rules go.

    :ivar frame: the last frame, its image released.
    :ivar image_size: (width, height) of the image that was decoded last, pixels.
    :ivar trust: confidence that the last decision was made with; 1 after a READ.
    :ivar frames_since_read: 0 on a READ, then counting.
    """

    frame: Frame
    image_size: tuple[int, int]
    trust: float
    frames_since_read: int
    last_read_stamp_ns: int


class Choice(NamedTuple):
    """
    What is done with a frame, and why.

    :ivar confidence: that was compared with p; NaN where there is none.
    """

    action: Action
    reason: Reason
    detail: str = ''
    confidence: float = math.nan

    @property
    def starts(self) -> bool:
        """Whether the stream starts from nothing."""
        return self.reason in (Reason.FIRST_FRAME, Reason.RESET)

    def follow(
        self, run: SinceRead | None, frame: Frame, image_size: tuple[int, int]
    ) -> SinceRead:
        """
        Go on after a frame for which this was chosen.

        :param run: the stream before it.
        :param image_size: of its image, or of the last one that was decoded.
        """
        if self.action is Action.READ or run is None:
            return SinceRead(frame.header(), image_size, 1.0, 0, frame.stamp_ns)
        return SinceRead(
            frame.header(), image_size, self.confidence, run.frames_since_read + 1,
            run.last_read_stamp_ns,
        )


FIRST = Choice(Action.READ, Reason.FIRST_FRAME)


def reset(detail: str) -> Choice:
    """Start a stream anew."""
    return Choice(Action.READ, Reason.RESET, detail)


def choose_known(
    run: SinceRead | None, frame: Frame, image_size: tuple[int, int], confidence: float,
    config: StreamConfig,
) -> Choice:
    """
    Choose what is done with a frame whose image size is known beforehand, resets included.

    :param run: the stream before it; None before the first frame.
    """
    if run is None:
        return FIRST
    broken = break_in_stream(run, frame, config) or size_change(run, image_size)
    return reset(broken) if broken else choose(run, confidence, config)


def choose(run: SinceRead, confidence: float, config: StreamConfig, held: str = '') -> Choice:
    """
    Choose what is done with the next frame of a stream that goes on.

    :param confidence: the scheduler's that a forecast serves it; NaN where it was not asked.
    :param held: the budget that moves p, in words; '' without one.
    """
    confidence = in_run(confidence, run.trust, config.accumulate)
    action, reason, detail = _decide(run.frames_since_read, confidence, config)
    return Choice(action, reason, detail or held, confidence)


def forced(choice: Choice, detail: str | None) -> Choice:
    """
    Make a READ of what would be a FORECAST, where one was asked for.

    :param detail: says who asked; None where nobody did.
    """
    if detail is None or choice.action is Action.READ:
        return choice
    return Choice(Action.READ, Reason.REQUEST, detail, choice.confidence)


def _decide(
    frames_since_read: int, confidence: float, config: StreamConfig
) -> tuple[Action, Reason, str]:
    if config.policy is Policy.READ:
        return Action.READ, Reason.POLICY, 'policy read'
    if not config.policy.takes_p:
        due = frames_since_read + 1 >= config.read_every
        action = Action.READ if due else Action.FORECAST
        return action, Reason.POLICY, f'policy {config.policy.value}, every {config.read_every}'
    if not serves(confidence, config.p):
        return Action.READ, Reason.SCHEDULER, ''
    limit = config.max_consecutive_forecasts
    if 0 < limit <= frames_since_read:
        return Action.READ, Reason.LIMIT, f'{frames_since_read} forecasts in a row'
    return Action.FORECAST, Reason.SCHEDULER, ''


def break_in_stream(run: SinceRead, frame: Frame, config: StreamConfig) -> str | None:
    """
    Say why a frame does not continue the stream, or None if it does.

    :raises BadFrameError: for a stamp that went back where that does not reset.
    """
    last = run.frame
    gap_s = (frame.stamp_ns - last.stamp_ns) / 1e9
    if gap_s < 0:
        detail = (
            f'stamp went back {-gap_s:.3f} s '
            f'({frame.stamp_ns / 1e9:.3f} s after {last.stamp_ns / 1e9:.3f} s)'
        )
        if not config.reset_on_time_jump:
            raise BadFrameError(
                f'{detail}: the bag looped or frames came out of order; reset the stream or set '
                'reset_on_time_jump'
            )
        return detail
    if 0 < config.max_gap_s < gap_s:
        return f'no frame for {gap_s:.3f} s (max_gap_s is {config.max_gap_s:g})'
    if last.size is not None and frame.size is not None and last.size != frame.size:
        return changed('image size', last.size, frame.size)
    if last.encoding != frame.encoding:
        return changed('encoding', last.encoding, frame.encoding)
    if last.frame_id != frame.frame_id:
        return changed('frame_id', last.frame_id, frame.frame_id)
    return None


def size_change(run: SinceRead, image_size: tuple[int, int]) -> str | None:
    """Say that a decoded image has another size than the last one; None if it has not."""
    same = image_size == run.image_size
    return None if same else changed('image size', run.image_size, image_size)


def policy_change(was: Policy, now: Policy) -> str | None:
    """
    Say that a stream cannot go on under another policy; None if it can.

    Boxes are carried from a READ on under one policy, and meanwhile a network may rest.
    """
    goes_on = was is now or not (was.carries or now.carries)
    return None if goes_on else changed('policy', was.value, now.value)


def changed(what: str, was: object, now: object) -> str:
    """Say what is another than before."""
    return f'{what} changed from {legible(repr(was))} to {legible(repr(now))}'
