"""Whatever others send, the node lives on and answers: requests, messages, signals, no HOME."""

from __future__ import annotations

import os
from pathlib import Path
import signal
import subprocess
import sys
from xml.etree import ElementTree

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
import numpy as np  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterValue  # noqa: E402
from rcl_interfaces.srv import (  # noqa: E402
    DescribeParameters,
    GetParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.serialization import serialize_message  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from forecast_detector.demo.processes import graph_environment  # noqa: E402

from .graph import Camera, Graph, make_image  # noqa: E402

POLICY = Path(__file__).parents[2] / 'config' / 'sros2' / 'detector.policy.xml'
NODE = (
    'import sys; from forecast_detector.executables import detector_node; '
    'sys.exit(detector_node())'
)


@pytest.fixture(scope='module')
def camera(graph: Graph, tiny_weights: Path) -> Camera:
    graph.detector(
        weights=str(tiny_weights), image_topics=['/front/image_raw'],
        score_threshold=0.0, max_gap_s=0.0)
    camera = Camera(graph, '/front/image_raw')
    camera.wait_for_detector()
    return camera


def value(kind: int, **fields: object) -> ParameterValue:
    return ParameterValue(type=kind, **fields)


@pytest.mark.parametrize('kind', [10, 77, 255])
def test_a_parameter_of_an_unknown_type_is_refused_and_costs_no_other(
    graph: Graph, camera: Camera, kind: int
) -> None:
    request = SetParameters.Request(parameters=[
        Parameter(name='p', value=value(kind)),
        Parameter(name='p', value=value(3, double_value=0.25)),
    ])
    results = graph.call(SetParameters, '/detector/set_parameters', request).results
    assert [one.successful for one in results] == [False, True]
    assert str(kind) in results[0].reason
    together = SetParametersAtomically.Request(parameters=request.parameters[:1])
    assert not graph.call(
        SetParametersAtomically, '/detector/set_parameters_atomically', together
    ).result.successful
    assert camera.ask()[1].threshold == 0.25


def test_odd_names_and_transitions_are_answered(graph: Graph, camera: Camera) -> None:
    names = ['', 'nope', 'p', 'y' * 100_000, 'a\nb']
    for kind, service in (
        (DescribeParameters, 'describe_parameters'), (GetParameters, 'get_parameters'),
    ):
        assert graph.call(kind, f'/detector/{service}', kind.Request(names=names))
    for number, label in ((0, ''), (99, ''), (255, ''), (1, 'nonsense'), (0, '\x1b' * 1000)):
        request = ChangeState.Request(transition=Transition(id=number, label=label))
        assert not graph.call(ChangeState, '/detector/change_state', request).success
    assert graph.state() == 'active'
    assert camera.ask()


def boxes_of_one_image(graph: Graph, camera: Camera) -> list[tuple[float, ...]]:
    """Detect on one image, always the same, from nothing."""
    graph.set(p=1.0)
    assert graph.call(Trigger, '/detector/reset', Trigger.Request()).success
    image = make_image(5)
    image.header.stamp = camera.next_image().header.stamp
    return [
        (d.bbox.center.position.x, d.bbox.size_y, d.results[0].hypothesis.score)
        for d in camera.ask(image)[0].detections
    ]


def test_damaged_messages_do_no_harm(graph: Graph, camera: Camera) -> None:
    random = np.random.default_rng(0)
    good = serialize_message(make_image(1))
    before = boxes_of_one_image(graph, camera)
    for k in range(60):
        data = bytearray(good)
        if k % 3 == 0:
            data = data[:int(random.integers(len(data)))]
        elif k % 3 == 1:
            for place in random.integers(4, 80, 5):
                data[place] = int(random.integers(256))
        else:
            data = bytearray(random.bytes(int(random.integers(300))))
        camera.send_bytes(bytes(data))
    camera.stamp_ns += 10 ** 12
    assert before and boxes_of_one_image(graph, camera) == before
    assert graph.state() == 'active'


def test_the_security_policy_lists_what_the_node_uses(graph: Graph, camera: Camera) -> None:
    profile = ElementTree.parse(POLICY).find('.//profile')
    assert profile is not None

    def listed(kind: str, access: str) -> set[str]:
        parts = [part for part in profile if part.get(access) == 'ALLOW']
        names = [name.text or '' for part in parts for name in part.iter(kind)]
        return {name.replace('~', '/detector') if '~' in name else f'/{name}' for name in names}

    def used(what: str) -> set[str]:
        rows = getattr(graph.node, f'get_{what}_names_and_types_by_node')('detector', '/')
        return {name.replace('/front/', '/camera/') for name, _ in rows}

    assert used('publisher') <= listed('topic', 'publish')
    assert used('subscriber') <= listed('topic', 'subscribe')
    assert used('service') <= listed('service', 'reply')
    assert '/detector/set_parameters' in used('service')


def start(folder: Path, *arguments: str, **environment: str | None) -> subprocess.Popen[str]:
    """Start the node as `ros2 run` does."""
    changed = graph_environment(folder, int(os.environ.get('ROS_DOMAIN_ID', 0)))
    for name, text in environment.items():
        changed.pop(name, None)
        if text is not None:
            changed[name] = text
    return subprocess.Popen(
        [sys.executable, '-c', NODE, '--ros-args', *arguments], text=True, env=changed,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))


def until(process: subprocess.Popen[str], mark: str) -> list[str]:
    lines = []
    assert process.stdout
    for line in process.stdout:
        lines.append(line)
        if mark in line:
            return lines
    raise AssertionError(f'{mark!r} is not in {lines}')


@pytest.mark.parametrize('home', [None, '/proc/nowhere'])
def test_without_a_place_for_logs_it_runs_and_says_so(
    tmp_path: Path, tiny_weights: Path, home: str | None
) -> None:
    process = start(
        tmp_path, '-p', f'weights:={tiny_weights}', '-p', 'image_topics:=[/x/image_raw]', '-r',
        '/x/detections:=/found', HOME=home, ROS_LOG_DIR=None)
    lines = until(process, '-> ')
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert sum('no log file is written' in line for line in lines) == 1
    assert lines[-1].rstrip().endswith('/x/image_raw -> /found, /x/decision')
    assert 'Traceback' not in ''.join(lines) + rest


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_configure_gives_no_advice(
    tmp_path: Path, tiny_weights: Path, number: int
) -> None:
    process = start(tmp_path, '-p', f'weights:={tiny_weights}')
    until(process, 'device: ')  # in configure
    for _ in range(3):
        os.kill(process.pid, number)
    rest, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert 'Traceback' not in rest and 'waiting unconfigured' not in rest
