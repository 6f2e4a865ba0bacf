"""What the demo may play: the synthetic world, a video, a bag."""

from __future__ import annotations

from pathlib import Path

from ..bags import BagReader
from ..bags.finding import is_bag
from ..data.video import VideoClip

SYNTHETIC = 'synthetic'
DEFAULT_FPS = 15.0


def check_source(source: str, topic: str = '') -> float:
    """
    Make sure that a source can be played, before processes are started for it.

    :param topic: image topic of a bag; '' takes its only one.
    :returns: its frames per second.
    :raises ValueError: if it cannot be played.
    :raises OSError: if it is not there.
    """
    path = Path(source)
    if source == SYNTHETIC:
        return DEFAULT_FPS
    if is_bag(path):
        with BagReader(path) as bag:
            return _rate(bag, bag.image_topic(topic or None))
    return VideoClip(path).fps


def _rate(bag: BagReader, topic: str) -> float:
    """Estimate the images a second from the first few."""
    times_ns = [record.log_ns for record, _ in zip(bag.records([topic]), range(20))]
    seconds = (times_ns[-1] - times_ns[0]) / 1e9 if len(times_ns) > 1 else 0.0
    return (len(times_ns) - 1) / seconds if seconds > 0 else DEFAULT_FPS
