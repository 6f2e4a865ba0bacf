"""The rules of a stream: READ or FORECAST, and what breaks it."""

from __future__ import annotations

from .config import StreamConfig
from .types import Action, BadFrameError, Frame, Policy, Reason


def accumulated(confidence: float, trust: float, config: StreamConfig) -> float:
    """
    Give the confidence that is compared with p.

    If the scheduler gives the probability that one forecast serves, the product since the last
    READ is that of the whole run. READs then come at even distances where frames are alike,
    and sooner where they are hard, and an uninformed scheduler falls back to a fixed rule.

    :param confidence: the scheduler's, in the next forecast.
    :param trust: what this gave for the forecast before; 1 after a READ.
    """
    return confidence * trust if config.accumulate else confidence


def decide(
    confidence: float, frames_since_read: int, config: StreamConfig
) -> tuple[Action, Reason, str]:
    """
    Choose what gives a frame its features (sections 3.2 and 3.5).

    :param confidence: see :func:`accumulated`.
    :param frames_since_read: of the frame before.
    """
    if config.policy is Policy.READ:
        return Action.READ, Reason.POLICY, 'policy read'
    if config.policy is Policy.ALTERNATE:
        due = frames_since_read + 1 >= config.read_every
        action = Action.READ if due else Action.FORECAST
        return action, Reason.POLICY, f'policy alternate, every {config.read_every}'
    if not confidence > config.p:
        return Action.READ, Reason.SCHEDULER, ''
    limit = config.max_consecutive_forecasts
    if 0 < limit <= frames_since_read:
        return Action.READ, Reason.LIMIT, f'{frames_since_read} forecasts in a row'
    return Action.FORECAST, Reason.SCHEDULER, ''


def break_in_stream(last: Frame, frame: Frame, config: StreamConfig) -> str | None:
    """
    Say why a frame does not continue the stream, or None if it does.

    :raises BadFrameError: for a stamp that went back where that does not reset.
    """
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


def changed(what: str, was: object, now: object) -> str:
    """Say what is another than before."""
    return f'{what} changed from {was!r} to {now!r}'
