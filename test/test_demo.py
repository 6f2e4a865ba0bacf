"""What the demo makes of its processes and their numbers; no ROS needed."""

from __future__ import annotations

from contextlib import ExitStack
import os
from pathlib import Path
import socket
from typing import Any, cast

from bag_samples import write_bag
from evaluation_samples import found
import pytest
import yaml

from forecast_detector import node
from forecast_detector.checkpoint import Checkpoint
from forecast_detector.cli.command import parse
from forecast_detector.cli.demo import DemoCommand
from forecast_detector.cli.live_line import LiveLine
from forecast_detector.demo import agreement, processes
from forecast_detector.demo.agreement import agreement50
from forecast_detector.demo.counts import counts_of
from forecast_detector.demo.processes import Children, parameter_arguments
from forecast_detector.demo.show import check_answered, KEPT_ANSWERS, live_line, Show
from forecast_detector.demo.source import Source
from forecast_detector.demo.summary import summarise, table
from forecast_detector.records.codec import to_plain
from forecast_detector.records.detect import DemoTimes
from forecast_detector.types import Action, Decision, Reason, StepResult

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


def test_all_answers_count_of_which_the_last_are_kept() -> None:
    found = [*BOX, 0.9, 'disk']
    answers = [answer(k % 3 > 0, 10.0 + k, [found] * (k % 2), None) for k in range(9)]
    whole = {'images': 10, 'answers': answers, 'shown_score': 0.3}
    last = {**whole, 'answers': answers[-2:], 'counts': vars(counts_of(answers, 0.3))}
    one, two = (summarise(numbers, 'camera', 'coco', 0.5) for numbers in (whole, last))
    assert (two.read, two.forecast, two.dropped) == (3, 6, 1)
    assert (one.read, one.forecast, one.dropped) == (3, 6, 1)
    assert two.latency_ms.forecast == DemoTimes(17.5, 17.95)
    assert '4 with a score of at least' in table(two, last)


def test_a_camera_keeps_no_more_answers_than_it_may() -> None:
    for ends, kept in ((True, 0), (False, KEPT_ANSWERS)):
        source = Source('camera', '/dev/video0', 30.0, ends=ends)
        show = Show(source, Path('w'), Path('out'), 0.5, 30.0)
        assert show.recorder()['kept_answers'] == kept


def test_without_truth_there_is_no_map50() -> None:
    numbers = {'images': 1, 'answers': [answer(0, 1.0, [], None)], 'shown_score': 0.3}
    summary = summarise(numbers, 'clip.mp4', 'coco', 1.0)
    assert summary.map50 is None and summary.agreement50 is None
    assert summary.latency_ms.forecast == DemoTimes(None, None)
    assert 'mAP' not in table(summary, numbers)


def test_parameters_come_through_the_command_line_unchanged() -> None:
    values = {'a': 0.5, 'b': 'text: with # signs', 'c': ['/x', '/y'], 'd': True, 'e': 3, 'f': ''}
    flag, *rest = parameter_arguments(values)
    assert flag == '--ros-args'
    given = dict(argument.split(':=', 1) for argument in rest if argument != '-p')
    assert {name: yaml.safe_load(text) for name, text in given.items()} == values


def test_a_domain_in_use_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # Domains of its own: what else runs on this machine takes others.
    domains = range(1000 * os.getpid(), 1000 * os.getpid() + 4)
    monkeypatch.setattr(processes, 'DOMAINS', domains)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as used, ExitStack() as stack:
        used.bind(('', 0))
        busy = [0, used.getsockname()[1]]  # anybody can have port 0
        monkeypatch.setattr(
            processes, 'domain_ports', lambda domain: busy if domain == domains[1] else [0])
        found = [processes.take_domain(number) for number in (8, 8, 7)]
        for _, held in found:
            stack.enter_context(held)
        assert [domain for domain, _ in found] == [domains[k] for k in (0, 2, 3)]
        with pytest.raises(RuntimeError, match='are in use on this machine'):
            processes.take_domain(0)
        found[1][1].close()
        assert processes.take_domain(0)[0] == domains[2]


def test_a_graph_holds_its_domain_until_it_ends(tmp_path: Path) -> None:
    first, second = Children(tmp_path), Children(tmp_path)
    domains = [int(one.environment['ROS_DOMAIN_ID']) for one in (first, second)]
    assert domains[0] != domains[1] and all(1 <= domain <= 100 for domain in domains)
    for one in (first, second):
        one.__exit__(None, None, None)


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


@pytest.mark.parametrize('p', ['1.5', '-0.1', 'nan', 'high'])
def test_p_outside_its_range_is_a_usage_error(p: str) -> None:
    with pytest.raises(SystemExit):
        parse(DemoCommand, ['--p', p])


class Reading:
    """In place of a detector: of each image a box that moves, and a weak one."""

    labels = ('cat', 'dog')

    def __init__(self, blind: bool = False) -> None:
        self.steps, self.blind = 0, blind

    def step(self, frames: dict) -> dict:
        (stream, frame), = frames.items()
        self.steps += 1
        decision = Decision(Action.READ, Reason.POLICY, 1.0)
        rows = [] if self.blind else [(*box_at(frame.stamp_ns), 0.9, 0), (*BOX, 0.3, 1)]
        return {stream: StepResult(frame.stamp_ns, found(*rows), decision)}


def box_at(stamp_ns: int) -> list[float]:
    return [10.0 * stamp_ns / 1e9, 0.0, 10.0 * stamp_ns / 1e9 + 8, 8.0]


def given(stamp_ns: int, *objects: list) -> dict:
    return {'stamp_ns': stamp_ns, 'objects': list(objects)}


def agreement_of(bag: Path, answers: list, detector: Reading) -> float | None:
    return agreement50(
        answers, bag, '/cam/image_raw', cast(Any, detector), lambda text: None)


def test_agreement_is_with_reading_every_frame(tmp_path: Path) -> None:
    stamps = [k * 10**9 for k in range(1, 5)]
    bag = write_bag(tmp_path / 'bag', *stamps)
    same = [given(stamp, [*box_at(stamp), 0.8, 'cat']) for stamp in stamps]
    detector = Reading()
    assert agreement_of(bag, same, detector) == 1.0
    assert detector.steps == 4
    # A frame that was dropped is not judged, but read: features follow from those before.
    detector = Reading()
    assert agreement_of(bag, same[:2] + same[3:], detector) == 1.0
    assert detector.steps == 4
    # One box of four is where the last one was, and the weakest.
    stale = [*same[:3], given(stamps[3], [*box_at(stamps[2]), 0.7, 'cat'])]
    assert agreement_of(bag, stale, Reading()) == 0.75
    # Of two images of one time nobody knows whose the answer is.
    twins = write_bag(tmp_path / 'twins', 10**9, 2 * 10**9, 2 * 10**9)
    answers = [same[0], given(2 * 10**9, [0, 0, 1, 1, 0.9, 'dog'])]
    assert agreement_of(twins, answers, Reading()) == 1.0
    other = [given(stamp, [*box_at(stamp), 0.8, 'dog']) for stamp in stamps]
    assert agreement_of(bag, other, Reading()) == 0.0


def test_agreement_of_nothing_is_none(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'bag', 10**9)
    assert agreement_of(bag, [given(10**9)], Reading(blind=True)) is None
    assert agreement_of(bag, [], Reading()) is None


def test_an_interrupt_while_it_compares_leaves_the_agreement_out(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(agreement, 'agreement50', interrupted)
    played, command = Source('clip', 'clip', 10.0), parse(DemoCommand, ['--device', 'cpu'])
    assert command._agreement50(played, tiny_checkpoint, {'answers': []}, LiveLine()) is None
    assert 'agreement50 is not computed' in capsys.readouterr().err


def test_the_summary_has_the_agreement() -> None:
    numbers = {'images': 1, 'answers': [answer(0, 1.0, [], None)], 'shown_score': 0.3}
    summary = summarise(numbers, 'clip.mp4', 'coco', 1.0, 0.81234)
    assert to_plain(summary)['agreement50'] == 0.8123
    assert 'agreement@0.5 0.812' in table(summary, numbers)


def test_figures_of_few_frames_are_called_thin() -> None:
    answers = [answer(k > 0, 1.0, [], None) for k in range(33)]
    for images, is_thin in ((232, True), (67, True), (66, False), (33, False)):
        numbers = {'images': images, 'answers': answers, 'shown_score': 0.3}
        summary = summarise(numbers, 'a bag', 'coco', 0.8, 0.9)
        said = f'only 33 of {images} frames were answered'
        assert (said in summary.note) == (said in table(summary, numbers)) == is_thin
        assert bool(summary.note) == is_thin


def test_the_live_line_tells_what_is_going_on() -> None:
    assert live_line({}) == 'waiting for images'
    live = {'images': 9, 'answers': 8, 'read': 3, 'forecast': 5, 'action': 'READ', 'objects': 2,
            'inference_ms': 12.3}
    assert live_line(live) == '9 images, 3 READ, 5 FORECAST; now READ: 2 objects in 12 ms'
