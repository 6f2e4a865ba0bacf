"""What the demo makes of its processes and their numbers; no ROS needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from forecast_detector import node
from forecast_detector.cli.command import parse
from forecast_detector.cli.demo import Demo
from forecast_detector.demo.processes import Children, parameter_arguments
from forecast_detector.demo.show import check_answered, live_line
from forecast_detector.demo.source import check_source
from forecast_detector.demo.summary import summarise, table
from forecast_detector.records.detect import DemoTimes

BOX = [10.0, 10.0, 30.0, 30.0]


def answer(action: int, ms: float, objects: list, truth: list | None) -> dict:
    return {
        'action': action, 'reason': 1, 'inference_ms': ms, 'objects': objects, 'truth': truth
    }


def test_summary_counts_and_measures() -> None:
    found, true = [*BOX, 0.9, 'disk'], [*BOX, 1.0, 'disk']
    answers = [
        answer(0, 40.0, [found], [true]),
        answer(1, 10.0, [found], [true]),
        answer(1, 20.0, [], [true]),
        answer(1, 30.0, [], [true]),
    ]
    numbers = {'images': 5, 'answers': answers, 'shown_score': 0.3}
    summary = summarise(numbers, 'synthetic', 'synthetic', 0.5)
    assert (summary.frames, summary.read, summary.forecast) == (5, 1, 3)
    assert summary.dropped == 1
    assert summary.map50 == 0.5  # two of four objects, no false detection
    assert summary.latency_ms.read == DemoTimes(40.0, 40.0)
    assert summary.latency_ms.forecast == DemoTimes(20.0, 29.0)
    assert 'mAP@0.5' in table(summary, numbers)


def test_without_truth_there_is_no_map50() -> None:
    numbers = {'images': 1, 'answers': [answer(0, 1.0, [], None)], 'shown_score': 0.3}
    summary = summarise(numbers, 'clip.mp4', 'foda', 1.0)
    assert summary.map50 is None
    assert summary.latency_ms.forecast == DemoTimes(None, None)
    assert 'mAP' not in table(summary, numbers)


def test_parameters_come_through_the_command_line_unchanged() -> None:
    values = {'a': 0.5, 'b': 'text: with # signs', 'c': ['/x', '/y'], 'd': True, 'e': 3, 'f': ''}
    flag, *rest = parameter_arguments(values)
    assert flag == '--ros-args'
    given = dict(argument.split(':=', 1) for argument in rest if argument != '-p')
    assert {name: yaml.safe_load(text) for name, text in given.items()} == values


def test_a_process_that_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match='No module named') as caught:
        with Children(tmp_path) as children:
            child = children.start('camera', 'forecast_detector.nothing', {})
            child.wait()
            children.check([child])
    assert 'camera process ended with status 1' in str(caught.value)


@pytest.mark.parametrize(
    ('numbers', 'said'),
    [
        ({'images': 0, 'answers': []}, 'got no image'),
        ({'images': 7, 'answers': []}, 'answered none of 7 images'),
    ],
)
def test_a_demo_without_answers_fails_with_the_last_words(
    tmp_path: Path, numbers: dict, said: str
) -> None:
    with Children(tmp_path) as children:
        child = children.start('detector', 'forecast_detector.nothing', {})
        child.wait()
        assert child.said('No module named ') == 'forecast_detector.nothing'
        assert child.said('never said') == ''
        with pytest.raises(RuntimeError, match=said) as caught:
            check_answered(numbers, child)
        check_answered({'images': 7, 'answers': [{}]}, child)
    assert 'No module named' in str(caught.value)


def test_missing_ros_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, 'find_spec', lambda name: None)
    with pytest.raises(RuntimeError, match='make demo') as caught:
        node.require_ros()
    assert '\n' not in str(caught.value)


def test_a_missing_source_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError), match='none.mp4'):
        check_source(str(tmp_path / 'none.mp4'))


@pytest.mark.parametrize('p', ['1.5', '-0.1', 'nan', 'high'])
def test_p_outside_its_range_is_a_usage_error(p: str) -> None:
    with pytest.raises(SystemExit):
        parse(Demo, ['--p', p])


def test_weights_follow_the_source() -> None:
    assert parse(Demo, []).choose()[1] == 'synthetic'
    assert parse(Demo, ['--video', 'clip.mp4']).choose()[1] == 'foda'
    assert parse(Demo, ['--video', 'clip.mp4', '--weights', 'mine']).choose()[1] == 'mine'


def test_the_live_line_tells_what_is_going_on() -> None:
    assert live_line({}) == 'waiting for images'
    live = {'images': 9, 'answers': 8, 'read': 3, 'forecast': 5, 'action': 'READ', 'objects': 2,
            'inference_ms': 12.3}
    assert live_line(live) == '9 images, 3 READ, 5 FORECAST; now READ: 2 objects in 12 ms'
