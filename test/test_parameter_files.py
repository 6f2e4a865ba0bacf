"""Parameter files that ROS does not take, or that give a node nothing; no ROS needed."""

from __future__ import annotations

import os
from pathlib import Path

from parameter_samples import FAULTS, HEAD, write
import pytest

from forecast_detector.ros.parameter_faults import fault_of
from forecast_detector.ros.parameter_files import entries, files_of, why_unused


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_is_named_with_its_line_on_one_line(name: str, tmp_path: Path) -> None:
    content, expected = FAULTS[name]
    said = fault_of(write(tmp_path / 'my.yaml', content))
    assert expected in said and '\n' not in said


def test_files_that_cannot_be_read_are_named_for_what_they_are(tmp_path: Path) -> None:
    assert 'there is no such file' in fault_of(str(tmp_path / 'missing.yaml'))
    assert 'it is a folder' in fault_of(str(tmp_path))
    closed = Path(write(tmp_path / 'closed.yaml', HEAD))
    closed.chmod(0)
    if not os.access(closed, os.R_OK):  # root reads everything
        assert 'Permission denied' in fault_of(str(closed))


def test_a_good_file_has_no_fault(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[1] / 'config' / 'detector.yaml'
    assert fault_of(str(shipped)) == ''
    marked = write(tmp_path / 'marked.yaml', b'\xef\xbb\xbf' + HEAD.encode() + b'    p: 1\n')
    assert fault_of(marked) == ''


def test_files_are_taken_from_the_arguments_of_ros_only() -> None:
    line = ['--params-file', 'a', '--ros-args', '-p', 'p:=1', '--params-file', 'b', '--',
            '--params-file', 'c', '--ros-args', '--params-file', 'd', '--params-file']
    assert files_of(line) == ['b', 'd']
    assert files_of([]) == []


@pytest.mark.parametrize(('key', 'alone', 'below'), [
    ('detector', True, False), ('/detector', True, False), ('/front/detector', False, True),
    ('/**', True, True), ('**', True, True), ('/*', True, False), ('/**/detector', True, True),
    ('/*/detector', False, True), ('/detektor', False, False), ('/detector2', False, False),
    ('/front/**', False, True), ('/', False, False),
])
def test_an_entry_is_for_the_nodes_that_ros_takes_it_for(
    key: str, alone: bool, below: bool, tmp_path: Path
) -> None:
    entry, = entries(write(tmp_path / 'a.yaml', f'"{key}":\n  ros__parameters:\n    p: 0.5\n'))
    assert (entry.is_for('/detector'), entry.is_for('/front/detector')) == (alone, below)


def test_nested_names_are_joined(tmp_path: Path) -> None:
    text = 'front:\n  detector:\n    ros__parameters:\n      a: {b: 1, c: {d: 2}}\n      e: 3\n'
    entry, = entries(write(tmp_path / 'a.yaml', text))
    assert entry.node == '/front/detector' and entry.names == {'a.b', 'a.c.d', 'e'}


def test_a_file_for_other_nodes_is_named_with_their_names(tmp_path: Path) -> None:
    text = '/detektor:\n  ros__parameters:\n    p: 0.5\n/camera:\n  ros__parameters:\n    q: 1\n'
    path = write(tmp_path / 'a.yaml', text)
    said = why_unused(path, '/detector', frozenset({'weights'}))
    assert path in said and '/camera, /detektor' in said and 'this node is /detector' in said
    assert why_unused(path, '/camera', frozenset()) == ''
    assert why_unused(path, '/detector', frozenset({'p', 'q'})) != ''  # given by something else
    # What a wildcard stands for is for ROS to say: where all of it arrived, it was for the node.
    wild = write(tmp_path / 'b.yaml', '/a/*:\n  ros__parameters:\n    p: 0.5\n')
    assert why_unused(wild, '/detector', frozenset({'p'})) == ''
    assert why_unused(wild, '/detector', frozenset()) != ''


def test_every_document_of_a_file_counts(tmp_path: Path) -> None:
    text = '---\na:\n  ros__parameters:\n    p: 1\n---\nb:\n  ros__parameters:\n    p: 1\n'
    path = write(tmp_path / 'a.yaml', text)
    assert [entry.node for entry in entries(path)] == ['/a', '/b']
    assert why_unused(path, '/b', frozenset()) == fault_of(path) == ''


@pytest.mark.parametrize('content', ['', '# p: 0.5\n', 'hello\n', '/**:\n  ros__parameters: {}\n'])
def test_a_file_that_gives_nothing_is_named(content: str, tmp_path: Path) -> None:
    path = write(tmp_path / 'a.yaml', content)
    assert 'gives no parameters' in why_unused(path, '/detector', frozenset())
