"""How the detector node starts, fails to start, recovers and ends."""

from __future__ import annotations

from pathlib import Path
import signal

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402

from .graph import Camera, Graph, keep_all, wait_until  # noqa: E402


@pytest.fixture(scope='module')
def live(graph: Graph, tiny_weights: Path) -> list[str]:
    """Topics of a node whose cameras have nothing to do with each other."""
    topics = [f'/{name}/image_raw' for name in ('large', 'both', 'burst')]
    graph.detector('live', weights=str(tiny_weights), image_topics=topics, p=1.0)
    return topics


def test_what_fails_in_configure_is_named_and_can_be_mended(
    graph: Graph, tiny_weights: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / 'foreign.safetensors'
    foreign.write_bytes(b'\x08\x00\x00\x00\x00\x00\x00\x00{}      ')
    clashing = ['/cam/image_raw', '/cam/image_rect']
    child = graph.detector('mended', weights='nowhere', image_topics=clashing)

    def configure_fails(expected: str, **parameters: object) -> None:
        assert all(result.successful for result in graph.set('mended', **parameters))
        assert not graph.change('configure', 'mended')
        assert graph.state('mended') == 'unconfigured'
        wait_until(lambda: expected in child.log.read_text(), expected)

    wait_until(lambda: 'waiting unconfigured' in child.log.read_text(), 'the advice')
    assert "configure failed: weights: no file 'nowhere'" in child.log.read_text()
    configure_fails('weights of another program', weights=str(foreign))
    configure_fails(
        '/cam/image_raw and /cam/image_rect would both publish /cam/detections',
        weights=str(tiny_weights),
    )
    assert graph.set('mended', image_topics=['/mended/image_raw'])[0].successful
    assert graph.change('configure', 'mended')
    assert graph.change('activate', 'mended')
    Camera(graph, '/mended/image_raw').wait_for_detector()
    assert graph.change('deactivate', 'mended')
    assert graph.change('cleanup', 'mended')
    assert graph.state('mended') == 'unconfigured'
    assert child.stop() == 0


def test_a_bad_value_at_start_is_one_line_and_an_exit_status(graph: Graph) -> None:
    child = graph.detector('bad', p=1.5)
    assert wait_until(lambda: child.status, 'its end') == 1
    said = child.log.read_text()
    assert 'Traceback' not in said
    assert '1.5' in said and 'p' in said


def test_without_autostart_it_waits_and_ctrl_c_ends_it_cleanly(
    graph: Graph, tiny_weights: Path
) -> None:
    topic = '/patient/image_raw'
    child = graph.detector(
        'patient', weights=str(tiny_weights), image_topics=[topic], autostart=False
    )
    assert graph.state('patient') == 'unconfigured'
    assert graph.change('configure', 'patient')
    assert graph.state('patient') == 'inactive'
    assert graph.change('activate', 'patient')
    camera = Camera(graph, topic)
    camera.wait_for_detector()
    for _ in range(20):
        camera.send()
    # Where this process ignores SIGINT, its children do too.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    child.send_signal(signal.SIGTERM if ignored else signal.SIGINT)
    assert wait_until(lambda: child.status is not None and [child.status], 'its end') == [0]
    assert 'Traceback' not in child.log.read_text()


def test_a_manager_takes_it_through_all_states(graph: Graph, tiny_weights: Path) -> None:
    topic = '/managed/image_raw'
    child = graph.detector(
        'managed', weights=str(tiny_weights), image_topics=[topic], autostart=False
    )
    for _ in range(2):  # start up, reset, start up
        assert graph.change('configure', 'managed') and graph.change('activate', 'managed')
        Camera(graph, topic).wait_for_detector()
        assert graph.change('deactivate', 'managed') and graph.change('cleanup', 'managed')
    assert graph.change('shutdown', 'managed')
    assert graph.state('managed') == 'finalized'
    assert child.stop() == 0
    assert '[ERROR]' not in child.log.read_text()


def test_a_manager_beside_autostart_is_refused_and_does_no_harm(
    graph: Graph, live: list[str]
) -> None:
    wait_until(lambda: graph.state('live') == 'active', 'autostart')
    assert not graph.change('configure', 'live')
    assert graph.state('live') == 'active'


def test_lossless_answers_every_frame_in_order(graph: Graph, tiny_weights: Path) -> None:
    topic = '/lossless/image_raw'
    graph.detector('lossless', weights=str(tiny_weights), image_topics=[topic], lossless=True)
    camera = Camera(graph, topic, keep_all())
    camera.wait_for_detector()
    sent = [camera.send() for _ in range(60)]
    wait_until(lambda: sent[-1] in camera.decisions, 'the last answer')
    assert camera.order[-60:] == sent


def test_large_images_arrive_where_the_publisher_is_reliable(
    graph: Graph, live: list[str]
) -> None:
    camera = Camera(graph, live[0])
    camera.wait_for_detector()
    for _ in range(5):  # best effort would lose some of these
        camera.ask(camera.next_image(size=(1280, 720)))


def test_a_best_effort_publisher_is_heard_beside_a_reliable_one(
    graph: Graph, live: list[str]
) -> None:
    first = Camera(graph, live[1])
    first.wait_for_detector()
    second = Camera(
        graph, live[1], QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    second.stamp_ns = first.stamp_ns + 50_000_000
    second.wait_for_detector()
    first.stamp_ns = second.stamp_ns + 50_000_000
    first.knock()


def test_a_burst_ends_with_the_newest(graph: Graph, live: list[str]) -> None:
    camera = Camera(graph, live[2])
    camera.wait_for_detector()
    sent = [camera.send() for _ in range(60)]
    wait_until(lambda: sent[-1] in camera.decisions, 'the newest frame')
    assert camera.order == sorted(camera.order)
