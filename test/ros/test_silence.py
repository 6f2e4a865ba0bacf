"""Silence is told: a status is OK only while detections come, and names what keeps them away."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402

from forecast_detector.ros import health as health_of  # noqa: E402
from forecast_detector.ros.diagnostics import Diagnostics  # noqa: E402
from forecast_detector.ros.health import BAD, CameraHealth, Finding, PATIENCE_S  # noqa: E402
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
    ([GOOD] * 4 + [RESET] * 2, False), ([GOOD] * 7 + [RESET] * 3, True),
    ([RESET] * 50 + [GOOD] * WINDOW, False), ([GOOD] * 50 + [RESET] * FEW, True),
])
def test_constant_resets_are_a_trouble(decisions: list[Decision], is_trouble: bool) -> None:
    said = trouble(decisions, 1)
    assert bool(said) == is_trouble
    if said:
        assert 'image size changed' in said and 'publishers' not in said
        assert 'give each camera a topic of its own' in trouble(decisions, 2)


class Watch:
    """Stands in for the module ``time``; its hand is moved by tests."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    made = Watch()
    monkeypatch.setattr(health_of, 'time', made)
    return made


def test_images_that_are_never_answered_are_a_trouble(watch: Watch) -> None:
    health = healthy()
    for _ in range(3):
        health.saw_image()
        watch.now_s += 1
    assert not health.finding(1, 2.0).kind
    watch.now_s += PATIENCE_S
    health.saw_image()
    found = health.finding(1, 2.0)
    assert found.kind == 'no answers' and f'4 images came in {PATIENCE_S + 3:.1f} s' in found.text
    health.saw_answer(0.0, 0.0, GOOD)
    assert not health.finding(1, 2.0).kind
    health.saw_image()
    assert not health.finding(1, 2.0).kind


def test_time_counts_from_what_came_and_not_from_the_start(watch: Watch) -> None:
    health = healthy()
    watch.now_s += 17
    assert health.finding(0, 2.0).kind == 'no publisher'
    watch.now_s += 1
    assert not health.finding(1, 2.0).kind  # its camera has just begun
    watch.now_s += 1
    health.saw_image()
    found = health.finding(1, 2.0)
    assert not found.kind and '1 images came, none is answered yet' in found.text
    watch.now_s += 3
    assert 'no images on /front/image_raw for 3.0 s' in health.finding(1, 2.0).text


def test_what_was_too_old_did_not_wait_for_a_step(watch: Watch) -> None:
    health = healthy()
    for _ in range(60):
        health.saw_image()
        health.saw_stale()
        watch.now_s += 0.2
    health.saw_image()  # max_age_s is 0 from now on
    assert not health.finding(1, 2.0).kind


def test_nothing_is_said_to_run_before_it_has_answered(watch: Watch) -> None:
    health = healthy()
    assert health.finding(1, 2.0) == Finding('', f'{TOPIC}: waiting for the first image', True)
    health.saw_image()
    assert 'none is answered yet' in health.finding(1, 2.0).text
    health.saw_answer(0.0, 0.0, GOOD)
    assert health.finding(1, 2.0) == Finding('', f'{TOPIC} is running')
    health.saw_offer(Offer(RAW, ('std_msgs/msg/String',), is_heard=False))
    health.saw_offer(Offer(RAW))  # whoever published texts is gone
    assert 'waiting for the first image' in health.finding(0, 2.0).text


def test_bad_images_stay_a_trouble_until_a_good_one(watch: Watch) -> None:
    health = healthy()
    health.saw_image()
    health.saw_error(ValueError('no colours'))
    assert '1 unusable images' in health.finding(1, 2.0).text
    watch.now_s += 1.5
    found = health.finding(1, 2.0)
    assert found.kind == 'bad images' and f'unusable images on {TOPIC}: no colours' in found.text
    health.saw_answer(0.0, 0.0, GOOD)
    assert 'is running' in health.finding(1, 2.0).text


def test_a_trouble_is_over_in_the_log_when_something_is_answered(graph: Graph) -> None:
    diagnostics, said = Diagnostics(graph.node), []
    for kind in ('no publisher', '', 'no publisher', ''):
        finding = Finding(kind, kind or 'waiting', is_open=not kind)
        diagnostics._log_change(TOPIC, finding)
        said.append(diagnostics._known.get(TOPIC))
    diagnostics._log_change(TOPIC, Finding('', 'is running'))
    assert said == [{'no publisher'}] * 4 and diagnostics._known[TOPIC] == set()


def test_two_troubles_at_once_are_both_named_and_logged(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = healthy()

    def found(bad: bool) -> Finding:
        for _ in range(WINDOW):
            health.saw_image()
            health.saw_answer(0.0, 0.0, RESET)
        if bad:
            health.saw_error(ValueError('no colours'))
        return health.finding(2, 2.0)

    both = found(bad=True)
    assert [one.kind for one in both.troubles] == ['resets', BAD]
    assert 'reset the stream' in both.text and 'no colours; 2 publishers send on this' in both.text

    log: list[str] = []
    diagnostics = Diagnostics(graph.node)
    node = SimpleNamespace(get_logger=lambda: SimpleNamespace(
        warning=lambda text: log.append(f'WARN {text}'), info=log.append))
    monkeypatch.setattr(diagnostics, '_node', node)
    unusable, fine = Finding(BAD, 'unusable'), Finding('', 'is running')
    for finding in (unusable, both, both, found(bad=False), unusable, both, fine, unusable, fine):
        diagnostics._log_change(TOPIC, finding)
    assert log == [f'WARN {both.parts[0].text}', f'WARN {both.parts[0].text}', 'is running']


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
