"""Limits on age and stamps of another clock: by themselves, and in a live node."""

from __future__ import annotations

from pathlib import Path
import time

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402

from forecast_detector.ros.ages import Age, Ages, FEW, span, WINDOW  # noqa: E402

from .graph import Camera, Graph, make_image, wait_until  # noqa: E402

NOW_S = 1.7e9
HOUR_S = 3600.0


def said(
    *offsets_s: float, max_age_s: float = 1.0, waited_s: float = 0.0, is_simulated: bool = False
) -> str:
    """What is said of images whose stamps are so far behind, ten a second."""
    ages = Ages()
    for at, offset_s in enumerate(offsets_s):
        now_s = NOW_S + 0.1 * at
        ages.saw(Age(now_s - waited_s - offset_s, now_s, waited_s))
    return ages.trouble(max_age_s, is_simulated)


@pytest.mark.parametrize(('offset_s', 'expected'), [
    (HOUR_S, 'stamps are 3600 s (1.0 h) behind the system clock'),
    (1.5, 'stamps are 1.5 s behind the system clock'),
    (NOW_S - 5000, 'behind the system clock when they come (they count from a start'),
    (-HOUR_S, 'stamps are 3600 s (1.0 h) ahead of the system clock: max_age_s has no effect'),
])
def test_another_clock_is_named_with_its_offset(offset_s: float, expected: str) -> None:
    text = said(*[offset_s] * 30)
    assert expected in text and 'max_age_s: 0' in text and '\n' not in text
    assert 'the time on /clock' in said(*[offset_s] * 30, is_simulated=True)


def test_images_without_a_stamp_are_named_as_that() -> None:
    ages = Ages()
    for at in range(10):
        ages.saw(Age(0.0, NOW_S + at, 0.0))
    text = ages.trouble(1.0, False)
    assert '10 of the last 10 images' in text and 'stamps are 0' in text


def test_simulated_time_that_does_not_come_is_named() -> None:
    ages = Ages()
    for at in range(10):
        ages.saw(Age(NOW_S + at, 0.0, 0.0))
    assert 'nothing comes on /clock' in ages.trouble(1.0, True)


def test_images_that_wait_in_the_node_are_not_laid_to_a_clock() -> None:
    text = said(*[0.1] * 20, waited_s=2.0)
    assert 'wait 2.0 s for their turn' in text and 'clock' not in text


def test_nothing_is_said_where_the_limit_works() -> None:
    assert said(*[0.1] * 30) == ''
    assert said(*[0.1, 1.5] * 15) == ''  # half of them late
    assert said(*[HOUR_S] * 30, max_age_s=0.0) == ''
    assert said(*[HOUR_S] * (FEW - 1)) == ''
    assert said(*[-0.5] * 30) == ''  # clocks are never quite equal
    assert said(*[HOUR_S] * 30, *[0.1] * WINDOW) == ''  # over


def test_it_does_not_come_and_go_with_each_image() -> None:
    ages = Ages()

    def trouble_with(stale: int) -> bool:
        for at in range(WINDOW):
            ages.saw(Age(NOW_S - (HOUR_S if at < stale else 0.0), NOW_S, 0.0))
        return bool(ages.trouble(1.0, False))

    assert [trouble_with(n) for n in (17, 18, 17, 11, 9, 17)] == [
        False, True, True, True, False, False
    ]


def test_spans_are_readable() -> None:
    assert [span(s) for s in (0.25, 90.0, 7200.0, NOW_S)] == [
        '0.2 s', '90.0 s', '7200 s (2.0 h)', '1700000000 s (19676 days)'
    ]


def test_a_camera_with_another_clock_is_warned_about_until_it_is_right(
    graph: Graph, tiny_weights: Path
) -> None:
    topic = '/cam/image_raw'
    child = graph.detector(weights=str(tiny_weights), image_topics=[topic], max_age_s=60.0)
    camera = Camera(graph, topic)
    newest: dict[str, DiagnosticStatus] = {}

    def take(array: DiagnosticArray) -> None:
        newest.update({status.hardware_id: status for status in array.status})

    graph.node.create_subscription(DiagnosticArray, '/diagnostics', take, 10)

    def send_until(word: str, offset_s: float) -> DiagnosticStatus:
        def found() -> bool:
            camera.send(make_image(time.time_ns() - int(offset_s * 1e9)))
            time.sleep(0.05)
            return topic in newest and word in newest[topic].message

        wait_until(found, word)
        return newest[topic]

    status = send_until('(1.0 h) behind the system clock', HOUR_S)
    assert status.level == DiagnosticStatus.WARN
    figures = {pair.key: pair.value for pair in status.values}
    assert abs(float(figures['stamp_offset_s']) - HOUR_S) < 60
    assert int(figures['stale']) >= 5 and figures['processed'] == '0'
    assert send_until('is running', 0.0).level == DiagnosticStatus.OK
    warned = [line for line in child.log.read_text().splitlines() if 'max_age_s' in line]
    assert len(warned) == 1 and '[WARN]' in warned[0]
