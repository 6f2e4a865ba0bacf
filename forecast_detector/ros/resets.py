"""Streams that are reset again and again: how often, and what it means."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Decision, Reason

# The last so many answers are judged, once there are a few; the trouble begins at this share.
WINDOW, FEW, BEGINS = 20, 10, 0.3


def trouble(decisions: Sequence[Decision], publishers: int) -> str:
    """
    Say that resets are constant, and why; '' where they are not.

    :param decisions: of a camera's answers, the newest last.
    :param publishers: of the image topic.
    """
    last = decisions[-WINDOW:]
    resets = [one for one in last if one.reason is Reason.RESET]
    if len(last) < FEW or len(resets) < BEGINS * len(last):
        return ''
    remedy = 'see docs/node.md, troubleshooting'
    if publishers > 1:
        remedy = (
            f'{publishers} publishers send on this topic, whose images make no one stream: give '
            'each camera a topic of its own'
        )
    return (
        f'{len(resets)} of the last {len(last)} images reset the stream, which then forecasts '
        f'nothing ({resets[-1].reason_detail}); {remedy}'
    )
