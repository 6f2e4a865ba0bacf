"""What shows the node's topics names topics and fields that there are; the other launch files."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import re
import runpy
from typing import Any

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


@pytest.mark.parametrize('name', ['cameras', 'replay', 'view'])
def test_launch_takes_the_file_and_every_argument_is_described(name: str) -> None:
    pytest.importorskip('launch_ros', reason='launch_ros is not installed')
    made = runpy.run_path(str(ROOT / 'launch' / f'{name}.launch.py'))
    arguments = made['generate_launch_description']().get_launch_arguments()
    assert arguments and all(argument.description for argument in arguments)


def test_cameras_are_named_with_their_devices() -> None:
    pytest.importorskip('launch_ros', reason='launch_ros is not installed')
    split = runpy.run_path(str(ROOT / 'launch' / 'cameras.launch.py'))['split_cameras']
    assert split('front:/dev/video0, rear:/dev/video2') == {
        'front': '/dev/video0', 'rear': '/dev/video2'}
    for wrong in ('front', ':/dev/video0', 'a:/x,a:/y', ''):
        with pytest.raises(RuntimeError, match='is not one NAME:DEVICE'):
            split(wrong)
