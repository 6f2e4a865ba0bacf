"""What steps cost: every figure is there, and is of what it says; none is compared."""

import json
import sys

from backend_samples import save
import numpy as np
import pytest

from forecast_detector import threads
from forecast_detector.benchmark.backend import (
    Contestant,
    FORECAST,
    OBJECTS,
    READ,
    Stepper,
    WARM,
)
from forecast_detector.benchmark.clock import Clock, REST, StageClock
from forecast_detector.benchmark.pictures import frame, IMAGE, pan
from forecast_detector.benchmark.run import contestants_of
from forecast_detector.benchmark.stages import CARRY, DECODE
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.main import main
from forecast_detector.evaluation import provenance
from forecast_detector.limits import MAX_THREADS
from forecast_detector.node import NodeConfig
from forecast_detector.parameter import find
from forecast_detector.records.benchmark import Benchmark, ClockMhz
from forecast_detector.records.codec import from_plain

IMAGES = pan((64, 48))


def test_the_camera_pans_steadily_and_comes_back():
    assert all(image.shape == (48, 64, 3) for image in IMAGES)
    np.testing.assert_array_equal(IMAGES[0][:, 1:], IMAGES[1][:, :-1])
    np.testing.assert_array_equal(frame(IMAGES, len(IMAGES)).load(), IMAGES[0])


@pytest.fixture
def contestant(tiny_checkpoint):
    return Contestant.make(tiny_checkpoint, 'cpu', 'torch')


def test_there_are_objects_to_carry(contestant):
    stepper = Stepper(contestant.detector, READ, Clock(), 'read')
    step, counts = stepper.detector.step, []

    def counted(frames):
        (result,) = (results := step(frames)).values()
        counts.append(len(result.or_raise().detections))
        return results

    stepper.detector.step = counted
    for _ in range(WARM):
        stepper.step(pan(IMAGE))
    assert 1 <= np.median(counts) <= 3 * OBJECTS


def test_steps_are_what_they_are_counted_as(contestant):
    clock = Clock()
    for config, name in ((READ, 'read'), (FORECAST, 'forecast')):
        stepper = Stepper(contestant.detector, config, clock, name, streams=2)
        for _ in range(WARM + 3):
            stepper.step(IMAGES)
        assert clock.times(name).count == 3
    assert set(clock.wall) == {'read', 'forecast'}


@pytest.mark.parametrize('at', [0, 1, 2])
def test_a_period_is_a_read_and_the_forecasts_before_it(contestant, at):
    stepper = contestant.quarters()[at]
    asked = []
    step = stepper.detector.step
    stepper.detector.step = lambda frames: asked.append(step(frames)) or asked[-1]
    for _ in range(3):
        stepper.period(IMAGES)
    actions = ''.join(
        result.or_raise().decision.action.name[0] for results in asked
        for result in results.values())
    assert actions == 'R' + 3 * 'FFFR'
    frames, forecasts = contestant.clock.wall.values()
    assert len(frames) == len(forecasts) == 2  # the first one warms up


def test_a_period_of_other_decisions_is_no_figure(contestant):
    stepper = Stepper(contestant.detector, READ, Clock(), 'quarter')
    with pytest.raises(RuntimeError, match='quarter: a step was READ'):
        stepper.period(IMAGES)


def test_time_of_many_alike_is_that_of_one():
    clock = Clock()
    with clock.measure('one', 4), clock.measure('all'):
        sum(range(100_000))
    assert clock.wall['one'][0] < clock.wall['all'][0]


class Counted:
    """
    A clock that goes on with every call of a function, so that what takes long has many of them.

    It counts in threads that it is started in.
    """

    def __init__(self):
        self.calls = 0

    def __call__(self):
        return self.calls

    def __enter__(self):
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)

    def _note(self, frame, event, argument):
        self.calls += event in ('call', 'c_call')


def by_hand():
    """Make a clock that is set by hand, and what sets it."""
    at = [0.0]

    def take(seconds):
        at[0] += seconds

    return StageClock(lambda: at[0], lambda: 2 * at[0]), take


class Work:
    def __init__(self, take):
        self.take = take

    def outer(self):
        self.take(1)
        self.inner()
        self.inner()

    def inner(self):
        self.take(0.25)


def test_a_stage_is_what_a_step_spends_there_in_all_calls():
    clock, take = by_hand()
    work = Work(take)
    with clock.watching(work, 'outer', 'out'), clock.watching(work, 'inner', 'in'):
        for calls in (1, 2, 3):
            with clock.measure('step'):
                take(0.125)
                for _ in range(calls):
                    work.outer()
    assert not vars(work).keys() & {'outer', 'inner'}
    # Medians over steps, without each other, that add up to the step; milliseconds.
    found = [clock.stage(name) for name in ('out', 'in', REST)]
    assert [one.p50 for one in found] == [2000, 1000, 125]
    assert [one.cpu for one in found] == [4000, 2000, 250]
    assert [one.count for one in found] == [3, 3, 3]
    assert clock.times('step').p50 == sum(one.p50 for one in found)
    assert clock.stage('never') is None


def test_functions_of_classes_and_modules_are_watched_and_given_back():
    clock, take = by_hand()
    own = vars(Work)['inner']
    with clock.watching(Work, 'inner', 'in'), clock.measure('step'):
        Work(take).inner()
    assert clock.stage('in').p50 == 250
    assert vars(Work)['inner'] is own


READ_YOLOX = [DECODE, 'resize', 'thumbnail', 'dense motion', 'surprise', 'scheduler', 'reader',
              'head', 'boxes', CARRY, 'suppression', 'identities', REST]
FORECAST_YOLOX = [DECODE, 'resize', 'thumbnail', 'dense motion', 'surprise', 'scheduler',
                  'move and correct F', 'head', 'boxes', CARRY, 'suppression', 'identities', REST]
READ_PEEK = [DECODE, 'resize', 'thumbnail', 'motion and correction of F', 'scheduler', 'reader',
             'encoders', 'mean of F and Ft', 'head', 'boxes', 'suppression', 'identities', REST]


@pytest.mark.parametrize('name, read, forecast', [
    ('yolox', READ_YOLOX, FORECAST_YOLOX),
    ('peek', READ_PEEK, [name for name in READ_PEEK if name != 'reader']),
    ('blind', [name for name in READ_PEEK if name[:6] not in ('thumbn', 'motion')],
     ['scheduler', 'encoders', 'mean of F and Ft', 'head', 'boxes', 'suppression', 'identities',
      REST]),
])
def test_stages_of_each_family_make_up_most_of_a_step(tmp_path, name, read, forecast):
    contestant = Contestant.make(load_checkpoint(save(name, tmp_path)), 'cpu', 'torch')
    for config, expected in ((READ, read), (FORECAST, forecast)):
        with Counted() as counted:
            stages = contestant.stages(config, 3, IMAGES, StageClock(counted, counted))
        assert [one.name for one in stages.stages] == expected
        calls = {one.name: one.p50 for one in stages.stages}
        assert min(calls.values()) > 0
        assert calls[REST] < 0.35 * stages.step.p50, calls
        assert sum(calls.values()) == pytest.approx(stages.step.p50, rel=0.1)
    assert 'read' not in vars(contestant.detector.network)  # nobody watches any more


@pytest.mark.parametrize('name, left_out', [
    # The scheduler is in the part that makes the surprise, and the head's last layer in boxes.
    ('yolox', {'surprise', 'scheduler', 'head', 'boxes'}), ('peek', set()),
])
def test_behind_a_backend_stages_are_named_as_parts_are_cut(
        tmp_path, monkeypatch, name, left_out):
    pytest.importorskip('openvino')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    contestant = Contestant.make(load_checkpoint(save(name, tmp_path)), 'cpu', 'openvino')
    asked = READ_YOLOX if name == 'yolox' else READ_PEEK
    more = {'surprise and scheduler', 'classes and boxes'} if left_out else set()
    names = {one.name for one in contestant.stages(READ, 2, IMAGES).stages}
    assert names == (set(asked) - left_out) | more


def test_a_backend_is_measured_once(tiny_checkpoint):
    said = []
    found = contestants_of(tiny_checkpoint, 'cpu', ['auto', 'torch'], said.append)
    assert [one.detector.backend for one in found] == ['torch']
    assert said == ['auto and torch once: both are torch here']


def test_threads_are_bounded_as_those_of_the_node(capsys, monkeypatch):
    with pytest.raises(SystemExit):
        main(['benchmark', '--threads', '9999999'])
    assert f"'9999999': a whole number in [0, {MAX_THREADS}]" in capsys.readouterr().err
    assert find(NodeConfig, 'cpu_threads').most == MAX_THREADS
    monkeypatch.setattr(threads, 'cores', lambda: 2)
    said = []
    assert [threads.bounded('--threads', wanted, said.append) for wanted in (2, 3)] == [2, 2]
    assert said == ['--threads: 3 is more than the 2 cores that this process has; 2 threads are '
                    'used']


def test_help_names_the_default_backend(capsys):
    with pytest.raises(SystemExit):
        main(['benchmark', '--help'])
    words = ' '.join(capsys.readouterr().out.split())
    assert 'stands on top; default: auto --' in words
    assert 'default: (' not in words


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Make what Linux says of processors."""
    monkeypatch.setattr(provenance, 'CPUINFO', tmp_path / 'cpuinfo')
    monkeypatch.setattr(provenance, 'CPUS', tmp_path)
    return tmp_path


def test_clocks_are_those_that_the_system_says(system):
    assert provenance.clock_mhz() is None
    (system / 'cpuinfo').write_text(
        'processor\t: 0\ncpu MHz\t\t: 2000.0\n\nprocessor\t: 1\ncpu MHz\t\t: 3000.0\n')
    assert provenance.clock_mhz() == ClockMhz(2500.0, None)
    for core, most in ((0, '3500000\n'), (1, '3600000\n'), (2, '')):
        folder = system / f'cpu{core}' / 'cpufreq'
        folder.mkdir(parents=True)
        (folder / 'cpuinfo_max_freq').write_text(most)
        (folder / 'scaling_cur_freq').write_text('1000000\n')
    assert provenance.clock_mhz() == ClockMhz(2500.0, 3600.0)
    (system / 'cpuinfo').unlink()  # Arm says no clock there
    assert provenance.clock_mhz() == ClockMhz(1000.0, 3600.0)


def test_clocks_are_no_part_of_what_runs_are_compared_by(system):
    before = provenance.machine()
    (system / 'cpuinfo').write_text('cpu MHz : 2000.0\n')
    assert provenance.machine() == before
    (system / 'cpuinfo').write_text('model name : A fast one\ncpu MHz : 2000.0\n')
    assert provenance.machine().startswith('A fast one, ')


def test_the_command_writes_what_it_measured(weights, tmp_path, capsys):
    path = tmp_path / 'figures.json'
    arguments = ['--weights', str(weights), '--backend', 'torch', '--frames', '4', '--brief']
    assert main(['benchmark', *arguments, '--json', str(path)]) == 0
    values = json.loads(path.read_text())
    assert {'read_ms', 'forecast_ms', 'plain_ms', 'backend', 'threads'} <= set(values)
    record = from_plain(Benchmark, values, path.name)
    assert record.backend == 'torch'
    assert record.read_ms == record.backends[0].read.p50
    assert record.plain_ms == record.backends[0].plain.p50
    assert record.backends[0].forecast.count == record.backends[0].carried.count == 4
    one = record.backends[0]
    assert one.quarter.count == one.quarter_carried.count == one.quarter_flow.count == 1
    # Of four frames that were taken down together three are FORECASTs.
    assert 0 < 3 * one.carried_in_quarter.p50 < 4 * one.quarter_carried.p50
    assert 0 < 3 * one.flow_in_quarter.p50 < 4 * one.quarter_flow.p50
    assert record.node is None or record.node.message.count == 4
    assert (record.clock_mhz is None) == (provenance.clock_mhz() is None)
    assert 'FORECAST' in capsys.readouterr().out
