"""The launch file: its arguments, and what it passes to the node; no ROS needed."""

from __future__ import annotations

from pathlib import Path
import runpy
from types import SimpleNamespace
from xml.etree import ElementTree

from launch_samples import FOLDER, Names, run_launch_file, started
import pytest

from forecast_detector.config import StreamConfig
from forecast_detector.node import NodeConfig
from forecast_detector.parameter import describe


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What the launch file defines."""
    return run_launch_file(monkeypatch, 'detector')


def overrides(names: Names, **given: str) -> Names:
    """Parameters that the node gets beside the file when these arguments are given."""
    node, = started(names, **given)
    _, *rest = node.parameters
    return rest[0] if rest else {}


@pytest.mark.parametrize('text', [
    '/front/image_raw,/rear/image_raw',
    ' /front/image_raw , /rear/image_raw, ',
    "['/front/image_raw', \"/rear/image_raw\"]",
])
def test_topics_are_split_at_commas(names: Names, text: str) -> None:
    assert names['split_topics'](text) == ['/front/image_raw', '/rear/image_raw']


@pytest.mark.parametrize('text', ['[]', ',', " '' ", '[ , ]'])
def test_no_topic_is_refused(names: Names, text: str) -> None:
    with pytest.raises(RuntimeError, match='names no topic; expected one or more'):
        names['split_topics'](text)


def test_a_parameter_file_that_is_not_there_is_refused(names: Names, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match='params_file:=nowhere.yaml does not exist'):
        overrides(names, params_file='nowhere.yaml')
    with pytest.raises(RuntimeError, match='is a folder'):
        overrides(names, params_file=str(tmp_path))


def test_arguments_that_there_are_not_are_named(names: Names) -> None:
    line = ['ros2', 'launch', 'forecast_detector', 'detector.launch.py', 'p:=0.5',
            'image_topic:=/a', 'score_threshold:=0.1', 'image_topic:=/b']
    named = names['unknown_arguments'](line)
    assert len(named) == 2
    assert 'image_topic:' in named[0] and named[0].endswith('did you mean image_topics?')
    assert 'score_threshold' in named[1] and named[1].endswith('parameters go into params_file')
    line[3] = 'robot.launch.py'  # it includes this one, and has arguments of its own
    assert names['unknown_arguments'](line) == []


@pytest.mark.parametrize(('status', 'said'), [
    (1, 'died (exit status 1); correct what its last lines name'),
    (-9, 'was killed, as where memory is short'),
    (-11, 'crashed (SIGSEGV)'),
])
@pytest.mark.parametrize('respawn', [False, True])
def test_a_node_that_dies_is_one_line(names: Names, status: int, said: str, respawn: bool) -> None:
    line = names['obituary']('detector_node-1', status, respawn)
    assert line.startswith(f'detector_node-1 {said}')
    assert ('is started again' in line) == respawn
    assert ('respawn:=true' in line) != respawn


def test_an_end_that_was_asked_for_is_none(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(names['obituary']('detector_node-1', status, True) for status in (0, 130, 143))
    warned: list[str] = []
    monkeypatch.setitem(names['start'].__globals__, 'warn', warned.extend)
    node, = names['start']({a.name: a.default_value for a in names['ARGUMENTS']})
    for is_shutdown in (False, True):
        node.on_exit(
            SimpleNamespace(process_name='detector_node-1', returncode=1),
            SimpleNamespace(is_shutdown=is_shutdown))
    assert [line for line in warned if line] == [
        'detector_node-1 died (exit status 1); correct what its last lines name; '
        'respawn:=true starts it again by itself']


def test_read_every_is_a_whole_number(names: Names) -> None:
    assert names['whole']('3') == 3
    with pytest.raises(RuntimeError, match='read_every:=2.5 is not a whole number'):
        names['whole']('2.5')


def test_p_is_a_number(names: Names) -> None:
    assert names['fraction']('1') == 1.0
    with pytest.raises(RuntimeError, match='p:=high is not a number'):
        names['fraction']('high')


def test_what_was_not_given_is_left_to_the_parameter_file(names: Names) -> None:
    assert overrides(names) == {}


def test_what_was_given_overrides_the_parameter_file(names: Names) -> None:
    given = {
        'use_sim_time': 'true', 'autostart': 'false', 'p': '0.7', 'device': 'cpu',
        'weights': 'synthetic', 'image_topics': '/a/image_raw', 'lossless': 'true',
        'policy': 'flow', 'read_every': '4', 'track': 'false',
    }
    assert overrides(names, **given) == {
        'use_sim_time': True, 'autostart': False, 'p': 0.7, 'device': 'cpu',
        'weights': 'synthetic', 'image_topics': ['/a/image_raw'], 'lossless': True,
        'policy': 'flow', 'read_every': 4, 'track': False,
    }
    assert overrides(names, use_sim_time='false') == {'use_sim_time': False}


def test_defaults_are_among_the_choices(names: Names) -> None:
    for argument in names['ARGUMENTS']:
        assert argument.description
        assert argument.default_value in (
            getattr(argument, 'choices', None) or [argument.default_value])


def test_arguments_say_what_the_parameters_say(names: Names) -> None:
    parameters = {**describe(NodeConfig), **describe(StreamConfig)}
    said = {argument.name: argument.description for argument in names['ARGUMENTS']}
    shared = said.keys() & parameters.keys()
    assert shared == {
        'autostart', 'image_topics', 'weights', 'policy', 'p', 'read_every', 'track', 'device',
        'backend',
        'lossless'}
    for name in ('policy', 'backend'):
        argument = next(one for one in names['ARGUMENTS'] if one.name == name)
        assert argument.choices == ['', *parameters[name].choices]
    for name in shared:
        assert said[name].startswith(parameters[name].help)


@pytest.mark.parametrize(('distro', 'variable'), [
    ('humble', 'FASTRTPS_DEFAULT_PROFILES_FILE'), ('jazzy', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
    ('kilted', 'FASTDDS_DEFAULT_PROFILES_FILE'), ('lyrical', 'FASTDDS_DEFAULT_PROFILES_FILE'),
])
def test_buffers_hold_images_unless_the_user_says_otherwise(
    names: Names, monkeypatch: pytest.MonkeyPatch, distro: str, variable: str
) -> None:
    for name in names['PROFILES']:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('ROS_DISTRO', distro)
    given = {one.name: one.default_value for one in names['ARGUMENTS']}
    action, = names['set_profiles'](given)
    name, path = action.values
    assert name == variable
    profile = ElementTree.parse(path).getroot()
    sizes = [int(one.text or 0) for one in profile.iter() if one.tag.endswith('segment_size')]
    assert len(sizes) == 1 and sizes[0] > 4 * 1920 * 1080 * 3
    assert names['set_profiles']({**given, 'fastdds_profiles': ''}) == []
    monkeypatch.setenv(names['PROFILES'][0], '/mine.xml')
    assert names['set_profiles'](given) == []


def test_launch_takes_the_file_and_shows_every_argument() -> None:
    pytest.importorskip('launch_ros', reason='launch_ros is not installed')
    file = runpy.run_path(str(FOLDER / 'detector.launch.py'))
    arguments = file['generate_launch_description']().get_launch_arguments()
    assert [one.name for one in arguments] == [one.name for one in file['ARGUMENTS']]
    assert all(argument.description for argument in arguments)
