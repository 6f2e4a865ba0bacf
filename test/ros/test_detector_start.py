"""How the detector node starts, fails to start, recovers and ends."""

from __future__ import annotations

from pathlib import Path
import signal

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from .graph import Camera, Graph, keep_all, wait_until  # noqa: E402


def test_missing_weights_fail_configure_and_the_node_lives_on(
    graph: Graph, tiny_weights: Path
) -> None:
    child = graph.detector('missing', weights='nowhere', image_topics=['/missing/image_raw'])
    wait_until(lambda: 'waiting unconfigured' in child.log.read_text(), 'the advice')
    assert "no file 'nowhere'" in child.log.read_text()
    assert graph.state('missing') == 'unconfigured'
    assert not graph.change('configure', 'missing')
    assert graph.set('missing', weights=str(tiny_weights))[0].successful
    assert graph.change('configure', 'missing')
    assert graph.change('activate', 'missing')
    Camera(graph, '/missing/image_raw').wait_for_detector()
    assert graph.change('deactivate', 'missing')
    assert graph.change('cleanup', 'missing')
    assert graph.state('missing') == 'unconfigured'
    assert child.stop() == 0


def test_foreign_weights_are_told_apart(graph: Graph, tmp_path: Path) -> None:
    foreign = tmp_path / 'foreign.safetensors'
    foreign.write_bytes(b'\x08\x00\x00\x00\x00\x00\x00\x00{}      ')
    child = graph.detector('foreign', weights=str(foreign))
    wait_until(lambda: 'configure failed' in child.log.read_text(), 'the refusal')
    assert 'weights of another program' in child.log.read_text()
    assert child.stop() == 0


def test_topics_that_would_clash_are_refused(graph: Graph, tiny_weights: Path) -> None:
    topics = ['/cam/image_raw', '/cam/image_rect']
    child = graph.detector('clash', weights=str(tiny_weights), image_topics=topics)
    wait_until(lambda: 'configure failed' in child.log.read_text(), 'the refusal')
    said = child.log.read_text()
    assert '/cam/image_raw and /cam/image_rect would both publish /cam/detections' in said
    assert graph.state('clash') == 'unconfigured'
    assert child.stop() == 0


def test_a_bad_value_at_start_is_one_line_and_an_exit_status(graph: Graph) -> None:
    child = graph.detector('bad', p=1.5)
    assert wait_until(lambda: child.status, 'its end') == 1
    said = child.log.read_text()
    assert 'Traceback' not in said
    assert '1.5' in said and 'p' in said


def test_without_autostart_it_waits(graph: Graph, tiny_weights: Path) -> None:
    child = graph.detector('patient', weights=str(tiny_weights), autostart=False)
    assert graph.state('patient') == 'unconfigured'
    assert graph.change('configure', 'patient')
    assert graph.state('patient') == 'inactive'
    assert child.stop() == 0


@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_cleanly(graph: Graph, tiny_weights: Path, sign: int) -> None:
    if signal.getsignal(sign) is signal.SIG_IGN:
        pytest.skip('the signal is ignored here, and children inherit that')
    name = f'interrupted{int(sign)}'
    topic = f'/{name}/image_raw'
    child = graph.detector(name, weights=str(tiny_weights), image_topics=[topic], p=1.0)
    camera = Camera(graph, topic)
    camera.wait_for_detector()
    for _ in range(20):
        camera.send()
    child.send_signal(sign)
    assert wait_until(lambda: child.status is not None and [child.status], 'its end') == [0]
    assert 'Traceback' not in child.log.read_text()


def test_lossless_answers_every_frame_in_order(graph: Graph, tiny_weights: Path) -> None:
    topic = '/lossless/image_raw'
    graph.detector('lossless', weights=str(tiny_weights), image_topics=[topic], lossless=True)
    camera = Camera(graph, topic, keep_all())
    camera.wait_for_detector()
    sent = [camera.send() for _ in range(60)]
    wait_until(lambda: sent[-1] in camera.decisions, 'the last answer')
    assert camera.order[-60:] == sent


def test_live_takes_the_newest_and_counts_the_rest(graph: Graph, tiny_weights: Path) -> None:
    topic = '/live/image_raw'
    graph.detector('live', weights=str(tiny_weights), image_topics=[topic], p=1.0)
    camera = Camera(graph, topic)
    camera.wait_for_detector()
    sent = [camera.send() for _ in range(60)]
    wait_until(lambda: sent[-1] in camera.decisions, 'the newest frame')
    assert camera.order == sorted(camera.order)
