"""An hour's worth of images to the node, while cameras come and go: ``reliability_node.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count as numbers
import time
from typing import Any

from beside import beside, resident_mb
from ros.graph import Camera, Graph, wait_until

# Small, as what is tested is not the network.
SIZE = [64, 64]
# A fifth is warming up.
WARM, SAMPLE_EVERY, CHANGE_EVERY = 0.2, 100, 1000
STAYING, PASSING = ['/front/image_raw', '/rear/image_raw'], '/gripper/image_raw'


def changes() -> Iterator[dict[str, Any]]:
    """Let a camera come and go, and p move; without an end."""
    for number in numbers():
        yield {'image_topics': [*STAYING, PASSING] if number % 2 == 0 else STAYING,
               'p': (0.8, 0.5, 0.9)[number % 3]}


def ask(cameras: Sequence[Camera]) -> None:
    """Have an image of each camera answered, and let go of what was heard."""
    stamps = [camera.send() for camera in cameras]
    wait_until(lambda: all(
        stamp in camera.decisions and stamp in camera.detections
        for camera, stamp in zip(cameras, stamps)), 'the answers')
    for camera in cameras:
        camera.detections.clear()
        camera.decisions.clear()
        camera.order.clear()


def soak(graph: Graph, weights: str, count: int, seconds: float) -> dict[str, Any]:
    """
    Have images of two cameras answered, one pair after the other; memory is compared.

    :returns: memory from a fifth of the images on, of the node and of a bare subscriber.
    """
    child = graph.detector(weights=weights, image_topics=STAYING, input_size=SIZE)
    cameras = [Camera(graph, topic) for topic in STAYING]
    for camera in cameras:
        camera.wait_for_detector()
    begin_s, number, change, changed = time.monotonic(), 0, changes(), 0
    sizes_mb: list[tuple[float, float]] = []
    with beside('bare.py', *STAYING) as bare:
        for camera in cameras:
            wait_until(lambda: camera.subscribers() == 2, 'the bare subscriber')  # noqa: B023
        while number < count and time.monotonic() - begin_s < seconds:
            if number % SAMPLE_EVERY == 0:
                sizes_mb.append((resident_mb(child.pid), bare.memory_mb))
            if number % CHANGE_EVERY == 0 and number:
                changed += all(one.successful for one in graph.set(**next(change)))
            ask(cameras)
            number += len(cameras)
        took_s = time.monotonic() - begin_s
        sizes_mb.append((resident_mb(child.pid), bare.memory_mb))
    return {
        'images_answered': number, 'images_per_s': round(number / took_s, 1),
        'cameras_changed': changed, 'state': graph.state(),
        'node_mb': compared([node_mb for node_mb, _ in sizes_mb]),
        'bare_mb': compared([bare_mb for _, bare_mb in sizes_mb]),
    }


def compared(sizes_mb: list[float]) -> dict[str, float]:
    """Compare memory when warm with the most and the last of it."""
    warm_mb = sizes_mb[int(WARM * len(sizes_mb))]
    return {'warm': warm_mb, 'most': max(sizes_mb), 'end': sizes_mb[-1],
            'drift': round(sizes_mb[-1] / warm_mb - 1, 5)}
