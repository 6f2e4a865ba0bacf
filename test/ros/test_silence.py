"""Silence is told: a status is OK only while detections come, and names what keeps them away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402

from forecast_detector.ros import health as health_of  # noqa: E402
from forecast_detector.ros.health import CameraHealth  # noqa: E402
from forecast_detector.ros.image_types import Offer, RAW  # noqa: E402
from forecast_detector.ros.mailbox import Counters  # noqa: E402
from forecast_detector.ros.resets import FEW, trouble, WINDOW  # noqa: E402
from forecast_detector.types import Action, Decision, Reason  # noqa: E402

from .graph import Camera, Graph, wait_until  # noqa: E402

TOPIC = '/front/image_raw'
GOOD = Decision(Action.FORECAST, Reason.SCHEDULER, 0.5)
RESET = Decision(Action.READ, Reason.RESET, 0.5, 'image size changed from (4, 3) to (8, 6)')


def healthy() -> CameraHealth:
    health = CameraHealth(TOPIC, Counters())
    health.start(Offer(RAW))
    return health


@pytest.mark.parametrize(('decisions', 'is_trouble'), [
    ([], False), ([RESET] * (FEW - 1), False), ([RESET] * FEW, True),
    ([RESET, GOOD] * 20, True), ([GOOD, GOOD, GOOD, RESET] * 20, False),
    ([RESET] * 50 + [GOOD] * WINDOW, False), ([GOOD] * 50 + [RESET] * FEW, True),
])
def test_constant_resets_are_a_trouble(decisions: list[Decision], is_trouble: bool) -> None:
    said = trouble(decisions, 1)
    assert bool(said) == is_trouble
    if said:
        assert 'image size changed' in said and 'publishers' not in said
        assert 'give each camera a topic of its own' in trouble(decisions, 2)


def test_images_that_are_never_answered_are_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_of, 'PATIENCE_S', 0.0)
    health = healthy()
    assert not health.finding(1, 0.0).kind
    for _ in range(3):
        health.saw_image()
    found = health.finding(1, 0.0)
    assert found.kind == 'no answers' and '3 images came' in found.text
    health.saw_answer(0.0, 0.0, GOOD)
    assert not health.finding(1, 0.0).kind
    monkeypatch.setattr(health_of, 'PATIENCE_S', 100.0)
    health.saw_image()
    assert not health.finding(1, 0.0).kind


class Statuses:
    """The newest diagnostics by hardware id; the node's own has none."""

    def __init__(self, graph: Graph) -> None:
        self._newest: dict[str, DiagnosticStatus] = {}
        graph.node.create_subscription(DiagnosticArray, '/diagnostics', self._take, 10)

    def _take(self, array: DiagnosticArray) -> None:
        self._newest = {status.hardware_id: status for status in array.status}

    def wait_for(self, level: bytes, words: str, topic: str = '') -> DiagnosticStatus:
        def status() -> Any:
            newest = self._newest.get(topic)
            return newest if newest and newest.level == level and words in newest.message else None

        return wait_until(status, f'{level!r} with {words!r}')


def test_every_silence_has_its_name(graph: Graph, tiny_weights: Path) -> None:
    child = graph.detector(weights='/nowhere/at/all', image_topics=[TOPIC])
    statuses = Statuses(graph)
    status = statuses.wait_for(DiagnosticStatus.ERROR, 'configure failed: ')
    assert '/nowhere/at/all' in status.message and not status.values

    assert graph.set(weights=str(tiny_weights))[0].successful
    assert graph.change('configure')
    status = statuses.wait_for(DiagnosticStatus.WARN, 'inactive: images are not detected in')
    facts = {pair.key: pair.value for pair in status.values}
    assert facts['weights'] == str(tiny_weights) and len(facts['weights_sha256']) == 64

    assert graph.change('activate')
    camera = Camera(graph, TOPIC)
    camera.wait_for_detector()
    statuses.wait_for(DiagnosticStatus.OK, 'active')
    statuses.wait_for(DiagnosticStatus.OK, 'is running', TOPIC)

    for k in range(10):  # a camera whose size alternates
        camera.ask(camera.next_image((64, 48) if k % 2 else (96, 48)))
    found = statuses.wait_for(DiagnosticStatus.WARN, 'reset the stream', TOPIC)
    assert 'image size changed' in found.message
    for _ in range(WINDOW):
        camera.ask()
    statuses.wait_for(DiagnosticStatus.OK, 'is running', TOPIC)

    assert graph.set(use_sim_time=True)[0].successful
    statuses.wait_for(DiagnosticStatus.WARN, 'nothing comes on /clock')
    assert graph.set(use_sim_time=False)[0].successful
    statuses.wait_for(DiagnosticStatus.OK, 'active')
    wait_until(lambda: child.log.read_text().count('nothing comes on /clock') == 1, 'its warning')
    assert child.log.read_text().count('reset the stream') == 1
