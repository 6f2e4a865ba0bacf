"""Which of the types on an image topic the node takes, and what it says of the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sensor_msgs.msg import CompressedImage, Image

from ..legible import legible

RAW, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
KINDS: dict[str, type] = {RAW: Image, COMPRESSED: CompressedImage}


@dataclass(frozen=True)
class Offer:
    """
    What the publishers of a topic send.

    :ivar taken: the type that is subscribed to.
    :ivar others: types that are sent, too, and not heard.
    :ivar is_heard: whether anybody sends the type that is subscribed to.
    """

    taken: str
    others: tuple[str, ...] = ()
    is_heard: bool = True

    @property
    def _others(self) -> str:
        return ', '.join(legible(kind) for kind in self.others[:4])

    def trouble(self, topic: str) -> str:
        """Say what is not heard and what to do; '' where all is."""
        if not self.others:
            return ''
        if not self.is_heard:
            return (
                f'publishers on {topic} send {self._others}, which is no image; name a '
                f'topic of {RAW} or {COMPRESSED} in image_topics'
            )
        return (
            f'publishers on {topic} send different types: {self.taken} is taken, '
            f'{self._others} is not heard; publish them on topics of their own'
        )


def choose(offered: Iterable[str], current: str) -> Offer:
    """
    Choose the type to subscribe to.

    The current one stays while somebody sends it; otherwise the other type of image is taken, if
    somebody sends that.

    :param offered: types of the publishers in the graph.
    """
    types = sorted(set(offered))
    if not types:
        return Offer(current)
    images = [kind for kind in types if kind in KINDS]
    taken = current if current in images or not images else images[0]
    return Offer(taken, tuple(kind for kind in types if kind != taken), bool(images))
