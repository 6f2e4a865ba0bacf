"""What is given wrongly at start: parameter files, names, types; one line each."""

from __future__ import annotations

import math
from pathlib import Path
import subprocess
import sys

from parameter_samples import FAULTS, HEAD, write
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

import rclpy  # noqa: E402

from forecast_detector.config import StreamConfig  # noqa: E402
from forecast_detector.parameter import plain  # noqa: E402
from forecast_detector.ros import camera_parameters  # noqa: E402
from forecast_detector.ros.arguments import explain  # noqa: E402
from forecast_detector.ros.names import resolved  # noqa: E402
from forecast_detector.ros.overrides import checked, unknown  # noqa: E402
from forecast_detector.ros.parameters import PARAMETERS  # noqa: E402

from .graph import Graph, wait_until  # noqa: E402

NODES = ('detector', 'camera', 'player', 'recorder')


def refusal(*arguments: str) -> str:
    """ROS's own words for a command line, explained."""
    line = ['--ros-args', *arguments]
    context = rclpy.Context()
    try:
        rclpy.init(args=line, context=context)
    except RuntimeError as error:
        return explain(str(error), line)
    rclpy.shutdown(context=context)
    return ''


def run(node: str, *arguments: str, folder: Path) -> tuple[int, list[str]]:
    """Run a node until it ends; give its status and its lines."""
    room = 'ros' if node == 'detector' else 'graph'
    command = [sys.executable, '-m', f'forecast_detector.{room}.{node}_node', '--ros-args']
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=100,
                          cwd=folder)
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize('topic', [
    '/cam/image-raw', '/cam/image raw', ' /cam/image_raw', '/cam/image_raw/', '//cam/image_raw',
    '/3cam/image_raw', '/', '{camera}/image_raw', '/cam/' + 300 * 'x',
])
def test_a_topic_that_cannot_be_is_named_on_one_line(graph: Graph, topic: str) -> None:
    with pytest.raises(ValueError) as caught:
        resolved(graph.node, 'image_topics', topic)
    said = str(caught.value)
    assert said.startswith(f"image_topics: '{topic}' is no name of a topic (")
    assert 'such as /camera/image_raw' in said and '\n' not in said and '.c:' not in said
    assert resolved(graph.node, 'image_topics', '~/image_raw') == '/tester/image_raw'


@pytest.mark.parametrize('name', FAULTS)
def test_what_ros_refuses_is_explained(name: str, tmp_path: Path) -> None:
    content, expected = FAULTS[name]
    path = write(tmp_path / 'my.yaml', content)
    said = refusal('--params-file', path)
    assert said.startswith(f'parameter file {path}: ') and expected in said


def test_the_file_that_ros_refuses_is_named_among_others(tmp_path: Path) -> None:
    good = write(tmp_path / 'good.yaml', HEAD + '    p: 0.5\n')
    bad = str(tmp_path / 'missing file.yaml')
    assert f'parameter file {bad}: there is no' in refusal('--params-file', good,
                                                          '--params-file', bad)


@pytest.mark.parametrize(('arguments', 'expected'), [
    (['-p', 'resize:='], 'expected -p NAME:=VALUE'),
    (['-p', 'resize'], 'expected -p NAME:=VALUE'),
    (['-p', 'image_topics:=[a'], 'expected -p NAME:=VALUE'),
    (['-p', 'image_topics:=[a, 1]'], 'write all values of the list alike'),
    (['-r', 'image'], 'expected -r FROM:=TO'),
    (['--log-level', 'loud'], 'expected debug, info'),
    (['--params-file'], '--params-file'),
    (['--nonsense'], "unknown ROS arguments ['--nonsense']"),
])
def test_other_arguments_that_ros_refuses_are_one_line(
    arguments: list[str], expected: str
) -> None:
    said = refusal(*arguments)
    assert expected in said and '\n' not in said and '.c:' not in said


@pytest.mark.parametrize('node', NODES)
def test_a_broken_parameter_file_ends_each_node_with_one_line(node: str, tmp_path: Path) -> None:
    write(tmp_path / 'my.yaml', '/**:\n\tros__parameters:\n\t\tp: 0.5\n')
    status, said = run(node, '--params-file', 'my.yaml', folder=tmp_path)
    line, = said
    assert status == 1
    assert 'parameter file my.yaml: line 2 is indented with a tab' in line


@pytest.mark.parametrize(('node', 'argument', 'expected'), [
    ('detector', 'image_topics:=[]', 'image_topics: the list is empty'),
    ('player', 'image_topics:=[]', 'image_topics: the list is empty'),
    ('camera', "frames:='5'", 'frames: "5" is a text; expected a whole number'),
    ('detector', 'cameras.front.p:=2.0', 'cameras.front.p: p: 2.0 is not a number in [0, 1]'),
    ('detector', 'policy:=never', "policy: 'never' is not one of auto, scheduler, read"),
    ('player', 'loop:=0', 'loop: 0 is not a whole number of at least 1'),
    ('recorder', 'out:=[a]', 'out: ["a"] is a list of texts; expected a text'),
    ('camera', 'image_topic:=/cam/image-raw', "image_topic: '/cam/image-raw' is no name of a"),
    ('recorder', "image_topic:=''", "image_topic: '' is no name of a topic"),
])
def test_a_wrong_value_ends_a_node_with_one_line(
    node: str, argument: str, expected: str, tmp_path: Path
) -> None:
    status, said = run(node, '-p', argument, folder=tmp_path)
    line, = said
    assert status == 1 and expected in line
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(('name', 'value', 'expected'), [
    ('image_topics', None, 'the list is empty; expected a list of texts, such as image_topics: '
     '["/camera/image_raw"]'),
    ('input_size', None, 'the list is empty; expected a list of whole numbers'),
    ('p', None, 'an empty list; expected a number, such as p: 0.8'),
    ('image_topics', '/cam/image', 'such as image_topics: ["/cam/image"]'),
    ('image_topics', '/a/image, /b/image', 'such as image_topics: ["/a/image", "/b/image"]'),
    ('image_topics', '', 'such as image_topics: ["/camera/image_raw"]'),
    ('input_size', '320,416', 'such as input_size: [320, 416]'),
    ('image_topics', [1, 2], 'is a list of whole numbers; expected a list of texts'),
    ('weights', ['foda'], 'is a list of texts; expected a text, such as weights: "foda"'),
    ('weights', 5, 'such as weights: "5"'),
    ('device', True, 'expected a text, such as device: "auto"'),
    ('p', '0.5', 'p: "0.5" is a text; expected a number, such as p: 0.5'),
    ('p', 'high', 'expected a number, such as p: 0.8'),
    ('p', '1e400', 'expected a number, such as p: 0.8'),
    ('p', True, 'expected a number'),
    ('p', [0.5], 'such as p: 0.5'),
    ('read_every', 2.0, 'expected a whole number, such as read_every: 2'),
    ('read_every', 2.5, 'expected a whole number'),
    ('accumulate', 0, 'expected a switch (true or false), such as accumulate: false'),
    ('accumulate', 'no', 'expected a switch'),
    ('input_size', [192.0, 256.0], 'such as input_size: [192, 256]'),
    ('input_size', ['192', '256'], 'such as input_size: [192, 256]'),
    ('input_size', [192.5, 256.0], 'such as input_size: [320, 320]'),
    ('input_size', 320, 'such as input_size: [320, 320]'),
])
def test_a_wrong_type_is_named_with_what_to_write(name: str, value: object, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked(PARAMETERS[name], value)
    said = str(caught.value)
    assert said.startswith(f'{name}: ') and expected in said and '\n' not in said


def test_right_types_are_taken() -> None:
    for parameter in PARAMETERS.values():
        assert checked(parameter, plain(parameter.default)) == plain(parameter.default)
    assert checked(PARAMETERS['p'], 1) == 1.0 and type(checked(PARAMETERS['p'], 1)) is float


@pytest.mark.parametrize(('name', 'value', 'expected'), [
    ('p', 1.5, 'p: 1.5 is not a number in [0, 1]'),
    ('read_every', 0, 'read_every: 0 is not a whole number in [1, 1000000]'),
    ('max_gap_s', math.nan, 'max_gap_s: nan is not a number in [0, 1000000]'),
    ('cpu_threads', 5000, 'cpu_threads: 5000 is not a whole number in [0, 1024]'),
    ('policy', 'sometimes', "policy: 'sometimes' is not one of auto, scheduler, read, alternate, "
     'flow, scheduled_flow'),
    ('resize', 'crop', "resize: 'crop' is not one of '', letterbox, stretch, corner, trim"),
])
def test_a_value_out_of_range_is_named_with_what_is_expected(
    name: str, value: object, expected: str
) -> None:
    with pytest.raises(ValueError) as caught:
        checked(PARAMETERS[name], value)
    assert str(caught.value) == expected


@pytest.mark.parametrize(('name', 'meant'), [
    ('score_treshold', 'score_threshold'),
    ('max_consecutive_forecast', 'max_consecutive_forecasts'),
    ('image_topic', 'image_topics'),
    ('ImageTopics', 'image_topics'),
    ('image-topics', 'image_topics'),
    ('use_simtime', 'use_sim_time'),
    ('scheduler.p', 'p'),
    ('weights.name', 'weights'),
    ('qos_override./front/image_raw.subscription.depth', 'qos_overrides'),
])
def test_an_unknown_name_is_named_with_the_nearest(name: str, meant: str) -> None:
    line, = unknown([name], PARAMETERS, '/detector')
    assert f'no parameter {name}:' in line and line.endswith(f'did you mean {meant}?')


def test_a_name_that_is_like_no_other_is_named_with_where_they_are_listed() -> None:
    line, = unknown(['xyzzy'], PARAMETERS, '/front/detector')
    assert line.endswith('`ros2 param list /front/detector` lists them all')


def test_names_of_ros_are_known() -> None:
    given = ['use_sim_time', 'qos_overrides./a/b.subscription.depth', *PARAMETERS,
             'start_type_description_service']
    assert unknown(given, PARAMETERS, '/detector') == []


def test_names_and_files_that_are_not_used_are_warned_about_and_the_node_runs(
    graph: Graph, tiny_weights: Path, tmp_path: Path
) -> None:
    write(tmp_path / 'typo.yaml', HEAD + '    score_treshold: 0.1\n    p: 0.5\n')
    other = '/detektor:\n  ros__parameters:\n    p: 0.1\n    nms_iou: 1.0\n'
    write(tmp_path / 'other.yaml', other)
    command = [sys.executable, '-m', 'forecast_detector.ros.detector_node', '--ros-args',
               '-p', f'weights:={tiny_weights}', '-p', 'cpu_threads:=1', '-p', 'max_detection:=3',
               '--params-file', 'typo.yaml', '--params-file', 'other.yaml']
    with (tmp_path / 'log').open('wb') as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    try:
        log_path = tmp_path / 'log'
        wait_until(lambda: ' -> ' in log_path.read_text() or process.poll(), 'the start')
    finally:
        process.terminate()
        process.wait()
    warned = [line for line in log_path.read_text().splitlines() if '[WARN]' in line]
    assert sum('score_treshold' in line for line in warned) == 1
    assert sum('max_detection:' in line and 'max_detections?' in line for line in warned) == 1
    assert sum('other.yaml' in line and '/detektor' in line for line in warned) == 1
    assert not any('typo.yaml' in line for line in warned)


def test_what_ros_dumps_of_a_camera_without_values_of_its_own_is_taken_back(
    tmp_path: Path
) -> None:
    """`ros2 param dump` writes a parameter without a value as null."""
    file, context = tmp_path / 'dump.yaml', rclpy.Context()
    file.write_text('/**:\n  ros__parameters:\n    cameras:\n'
                    '      front: {p: null, score_threshold: 0.4}\n')
    rclpy.init(args=['--ros-args', '--params-file', str(file)], context=context)
    node = rclpy.create_node('dumped', context=context)
    camera_parameters.declare(node, 'front')
    config = camera_parameters.config_of(node, 'front', StreamConfig(p=0.7))
    assert (config.p, config.score_threshold) == (0.7, 0.4)
    node.destroy_node()
    rclpy.shutdown(context=context)
