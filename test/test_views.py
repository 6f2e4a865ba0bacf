"""What shows the node's topics names topics and fields that there are; the other launch files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import json
from pathlib import Path
import re
import runpy
from typing import Any

from launch_samples import run_launch_file, started
import pytest
import yaml

from forecast_detector.topics import beside

ROOT = Path(__file__).parents[1]
IMAGE = '/camera/image_raw'
PICTURES = {beside(IMAGE, name) for name in ('overlay', 'overlay/compressed', 'surprise')}


def strings(value: Any) -> Iterator[str]:
    """Give every text in plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def test_foxglove_shows_topics_and_fields_that_there_are() -> None:
    layout = json.loads((ROOT / 'config' / 'foxglove.json').read_text())
    fields = set(re.findall(
        r'^\S+ (\w+)$', (ROOT / 'msg' / 'ForecastDecision.msg').read_text(), re.MULTILINE))
    named = {text for text in strings(layout['configById']) if text.startswith('/')}
    decision = beside(IMAGE, 'decision')
    used = {text.rpartition('.')[2] for text in named if text.startswith(decision)}
    assert used and used <= fields
    assert {text for text in named if not text.startswith(decision)} <= {*PICTURES, '/diagnostics'}
    panels = set(strings(layout['layout'])) - {'row', 'column'}
    assert panels == set(layout['configById'])


def test_rviz_shows_the_pictures() -> None:
    shown = yaml.safe_load((ROOT / 'config' / 'detector.rviz').read_text())
    displays = shown['Visualization Manager']['Displays']
    assert {one['Topic']['Value'] for one in displays} <= PICTURES
    assert all(one['Class'] == 'rviz_default_plugins/Image' for one in displays)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """What a launch file starts."""

    def start(name: str, **given: str) -> list[Any]:
        made = run_launch_file(monkeypatch, name)
        assert all(argument.description for argument in made['ARGUMENTS'])
        return started(made, **given)

    return start


def included(action: Any) -> tuple[str, dict[str, str]]:
    """Name the launch file that is included, and what it is given."""
    return Path(action.values[0]).name, dict(action.launch_arguments)


def test_each_camera_has_a_driver_and_all_have_one_detector(launched: Any) -> None:
    detector, front, rear, view = launched(
        'cameras', cameras='front:/dev/video0, rear:/dev/video2', driver='v4l2_camera',
        transport='compressed', view='true')
    assert [(one.package, one.executable, one.namespace) for one in (front, rear)] == [
        ('v4l2_camera', 'v4l2_camera_node', 'front'), ('v4l2_camera', 'v4l2_camera_node', 'rear')]
    assert rear.parameters == [{'video_device': '/dev/video2'}]
    assert included(detector) == ('detector.launch.py', {
        'image_topics': '/front/image_raw/compressed,/rear/image_raw/compressed'})
    assert included(view) == ('view.launch.py', {'camera': '/front'})
    detector, driver = launched('cameras')
    assert (driver.package, driver.namespace) == ('usb_cam', 'camera')
    assert included(detector)[1] == {'image_topics': '/camera/image_raw'}


@pytest.mark.parametrize(('name', 'given', 'looked_up'), [
    ('cameras', {}, ['usb_cam']),
    ('cameras', {'driver': 'v4l2_camera', 'view': 'true'}, ['v4l2_camera', 'rviz2']),
    ('replay', {'bag': '.'}, ['ros2bag']),
    ('replay', {'bag': '.', 'view': '/front'}, ['ros2bag', 'rviz2']),
    ('view', {}, ['rviz2']),
])
def test_what_is_not_installed_is_named_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, name: str, given: dict[str, str], looked_up: list[str]
) -> None:
    seen: list[str] = []

    def look_up(package: str) -> str:
        seen.append(package)
        if package == missing:
            raise KeyError(package)
        return '/opt/ros'

    made = run_launch_file(monkeypatch, name, look_up)
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    missing = ''
    assert started(made, **given) and seen == looked_up
    for missing in looked_up:
        with pytest.raises(RuntimeError) as caught:  # so nothing at all is given to launch
            started(made, **given)
        apt = f'sudo apt install ros-jazzy-{missing.replace("_", "-")}`, or '
        assert str(caught.value).startswith(f'package {missing} is not installed: `{apt}')
    drivers = {'usb_cam': 'driver:=v4l2_camera', 'v4l2_camera': 'driver:=usb_cam'}
    missing = looked_up[0]
    if missing in drivers:
        with pytest.raises(RuntimeError, match=f'or {drivers[missing]}$'):
            started(made, **given)


@pytest.mark.parametrize(('name', 'own'), [
    ('cameras', 'image_topics'), ('replay', 'use_sim_time'),
])
def test_arguments_that_are_passed_on_are_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, own: str
) -> None:
    detector, outer = (
        {one.name: one.default_value for one in run_launch_file(monkeypatch, file)['ARGUMENTS']}
        for file in ('detector', name))
    assert own not in outer and len(detector) > 10
    assert {**outer, own: detector[own]}.items() >= detector.items()


@pytest.mark.parametrize('wrong', ['front', ':/dev/video0', 'a:/x,a:/y', ''])
def test_a_camera_without_name_or_device_is_refused(launched: Any, wrong: str) -> None:
    with pytest.raises(RuntimeError, match='is not one NAME:DEVICE'):
        launched('cameras', cameras=wrong)


def test_a_bag_is_played_with_its_own_time(launched: Any, tmp_path: Path) -> None:
    detector, player = launched('replay', bag=str(tmp_path))
    assert included(detector) == ('detector.launch.py', {'use_sim_time': 'true'})
    assert player.cmd[:5] == ['ros2', 'bag', 'play', str(tmp_path), '--clock']
    assert '--loop' not in player.cmd
    *_, player, view = launched('replay', bag=str(tmp_path), loop='true', view='/front')
    assert '--loop' in player.cmd and included(view)[1] == {'camera': '/front'}
    with pytest.raises(RuntimeError, match='does not exist'):
        launched('replay', bag=str(tmp_path / 'none'))


def test_the_view_is_of_the_camera_that_is_named(launched: Any) -> None:
    (viewer,) = launched('view', camera='/front')
    assert viewer.package == 'rviz2' and Path(viewer.arguments[1]).is_file()
    assert dict(viewer.remappings) == {
        '/camera/overlay': '/front/overlay', '/camera/surprise': '/front/surprise'}


@pytest.mark.parametrize('name', ['cameras', 'replay', 'view'])
def test_launch_takes_the_file_and_every_argument_is_described(name: str) -> None:
    pytest.importorskip('launch_ros', reason='launch_ros is not installed')
    made = runpy.run_path(str(ROOT / 'launch' / f'{name}.launch.py'))
    arguments = made['generate_launch_description']().get_launch_arguments()
    assert arguments and all(argument.description for argument in arguments)
