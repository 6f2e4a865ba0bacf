"""What files say of the node's parameters is what their fields say."""

from __future__ import annotations

from pathlib import Path
import runpy
from typing import Any

import pytest
import yaml

from forecast_detector.parameter import plain

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / 'scripts' / 'write_parameters.py'))


def test_files_are_as_they_would_be_written(script: dict[str, Any]) -> None:
    written = script['contents']()
    assert {path.name for path in written} == {'detector.yaml', 'node.md'}
    for path, text in written.items():
        assert path.read_text() == text, f'run scripts/write_parameters.py: {path} is behind'


def test_the_parameter_file_shows_the_defaults(script: dict[str, Any]) -> None:
    shown = yaml.safe_load((ROOT / 'config' / 'detector.yaml').read_text())
    defaults = {parameter.name: plain(parameter.default) for parameter in script['PARAMETERS']}
    assert shown == {'/**': {'ros__parameters': defaults}}


def test_every_parameter_has_a_row_with_all_that_is_known(script: dict[str, Any]) -> None:
    rows = [script['table_row'](parameter) for parameter in script['PARAMETERS']]
    assert len({row.count(' | ') for row in rows}) == 1
    (row,) = (row for row in rows if row.startswith('| `read_every` |'))
    assert '| `2` | whole number in [1, 1000000] | at the next frame | With policies ' in row


def test_a_file_without_marks_is_named(script: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / 'node.md'
    path.write_text('no marks\n')
    with pytest.raises(ValueError, match='expected one pair of lines'):
        script['written'](path, [])
