"""Images that never came are counted, and many of them are a trouble with a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
import random
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402

from forecast_detector.ros.health import CameraHealth  # noqa: E402
from forecast_detector.ros.image_types import Offer, RAW  # noqa: E402
from forecast_detector.ros.losses import FEW, Losses, PUBLISHERS, WINDOW  # noqa: E402
from forecast_detector.ros.mailbox import Counters  # noqa: E402

from .graph import Camera, Graph, wait_until  # noqa: E402

TOPIC = '/front/image_raw'

def info(number: int | None, publisher: bytes = b'a') -> dict[str, Any]:
    return {'publication_sequence_number': number, 'publisher_gid': {'data': publisher}}


def lost(numbers: Iterable[int | None], losses: Losses | None = None) -> int:
    losses = losses or Losses()
    return sum(losses.saw(info(number)) for number in numbers)


@pytest.mark.parametrize(('numbers', 'expected'), [
    ([], 0), ([1, 2, 3], 0), ([40, 41], 0), ([1, 4, 5, 7], 3),
    ([1, 2, 1, 2, 3], 0), ([3, 2, 5], 1),  # a subscription beside another repeats some
    ([900, 901, 1, 2, 4], 1),  # the publisher began anew
    ([None, None], 0), ([0, 0, 0], 0),  # a middleware that does not number
])
def test_gaps_in_the_numbers_are_lost_images(numbers: list[int | None], expected: int) -> None:
    assert lost(numbers) == expected


def test_each_publisher_has_numbers_of_its_own() -> None:
    losses = Losses()
    numbers = [(5, b'a'), (100, b'b'), (6, b'a'), (101, b'b'), (9, b'a')]
    assert [losses.saw(info(*one)) for one in numbers] == [0, 0, 0, 0, 2]
    for one in range(2 * PUBLISHERS):  # drivers that are restarted: what is long gone is forgotten
        losses.saw(info(1, bytes([one])))
    assert losses.saw(info(50, b'a')) == 0


def test_a_middleware_that_names_no_publisher_is_one() -> None:
    losses = Losses()
    assert losses.saw({'publication_sequence_number': 1}) == 0
    assert losses.saw({'publication_sequence_number': 3, 'publisher_gid': None}) == 1
    assert losses.saw({}) == 0


def test_many_lost_images_are_a_trouble_until_they_are_few() -> None:
    losses = Losses()
    assert not losses.trouble()
    lost(range(1, 2 * FEW - 1, 2), losses)
    assert not losses.trouble()  # too few to judge
    lost(range(2 * FEW - 1, 6 * FEW, 2), losses)
    assert f'{3 * FEW - 1} of the last {6 * FEW - 1} images were lost' in losses.trouble()
    lost(range(6 * FEW, 6 * FEW + WINDOW // 3), losses)
    assert losses.trouble()
    lost(range(6 * FEW + WINDOW // 3, 6 * FEW + WINDOW), losses)
    assert not losses.trouble()


def test_a_trouble_does_not_begin_again_without_a_new_loss() -> None:
    dice, losses, number, now, before = random.Random(3), Losses(), 0, '', ''
    begun, new_loss = 0, False
    for _ in range(4000):
        if dice.random() < 0.004:
            number += dice.randrange(1, 150)  # a burst
        number += 1
        new_loss = losses.saw(info(number)) > 0 or new_loss
        if dice.random() < 0.1:  # as diagnostics ask, now and then
            before, now = now, losses.trouble()
            if now and not before:
                assert new_loss
                begun += 1
            new_loss = False
    assert begun > 3


def test_bursts_every_few_seconds_are_one_trouble() -> None:
    losses, number, said = Losses(), 0, []
    for image in range(1500):
        number += 35 if image % 130 == 30 else 1  # at 30 Hz every four seconds, a second of loss
        losses.saw(info(number))
        if image % 30 == 29:
            said.append(bool(losses.trouble()))
    assert [a != b for a, b in pairwise(said)].count(True) == 1 and said[-1]


def test_health_counts_them_and_says_so() -> None:
    health = CameraHealth(TOPIC, Counters())
    health.start(Offer(RAW))
    for number in range(1, 4 * FEW, 2):
        health.saw_arrival(info(number))
        health.saw_image()
    found = health.finding(1, 0.0)
    assert found.kind == 'losses' and 'docs/node.md' in found.text
    assert health.figures()['lost'] == str(2 * FEW - 1)
    health.start(Offer(RAW))
    assert not health.finding(1, 0.0).kind


class Sums:
    """How many images of a topic were received or lost, by the newest diagnostics."""

    def __init__(self, graph: Graph, topic: str) -> None:
        self._topic = topic
        self._sums: list[int] = []
        graph.node.create_subscription(DiagnosticArray, '/diagnostics', self._take, 10)

    def _take(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.hardware_id == self._topic:
                values = {pair.key: int(pair.value) for pair in status.values
                          if pair.key in ('received', 'lost')}
                self._sums.append(sum(values.values()))

    def wait(self) -> int:
        """Give the sum as it is now: that of the next diagnostics but one."""
        known = len(self._sums)
        return int(wait_until(lambda: self._sums[known + 1:], 'diagnostics')[0])


def test_whatever_is_sent_is_received_or_lost(graph: Graph, tiny_weights: Path) -> None:
    """Best effort loses images that do not fit the buffers: how many, depends on the machine."""
    graph.detector(weights=str(tiny_weights), image_topics=[TOPIC])
    sums = Sums(graph, TOPIC)
    camera = Camera(
        graph, TOPIC, QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT))
    camera.knock()
    before, sent = sums.wait(), 0

    def send(size: tuple[int, int]) -> None:
        nonlocal sent
        camera.send(camera.next_image(size))
        sent += 1

    for _ in range(20):
        send((1280, 960))

    def is_counted() -> bool:
        send((64, 48))  # where the last one is lost, only the next one tells
        return sums.wait() == before + sent

    wait_until(is_counted, 'a sum of all that were sent')
