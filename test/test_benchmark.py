"""What steps cost: every figure is there, and is of what it says; none is compared."""

import json

import numpy as np
import pytest

from forecast_detector.benchmark.backend import Contestant, FORECAST, READ, Stepper, WARM
from forecast_detector.benchmark.clock import Clock
from forecast_detector.benchmark.pictures import frame, pan
from forecast_detector.cli.main import main
from forecast_detector.records.benchmark import Benchmark
from forecast_detector.records.codec import from_plain

IMAGES = pan((64, 48))


def test_the_camera_pans_steadily_and_comes_back():
    assert all(image.shape == (48, 64, 3) for image in IMAGES)
    np.testing.assert_array_equal(IMAGES[0][:, 1:], IMAGES[1][:, :-1])
    np.testing.assert_array_equal(frame(IMAGES, len(IMAGES)).load(), IMAGES[0])


@pytest.fixture
def contestant(tiny_checkpoint):
    return Contestant.make(tiny_checkpoint, 'cpu', 'torch')


def test_steps_are_what_they_are_counted_as(contestant):
    clock = Clock()
    for config, name in ((READ, 'read'), (FORECAST, 'forecast')):
        stepper = Stepper(contestant.detector, config, clock, name, streams=2)
        for _ in range(WARM + 3):
            stepper.step(IMAGES)
        assert clock.times(name).count == 3
    assert set(clock.wall) == {'read', 'forecast'}


@pytest.mark.parametrize('at', [0, 1])
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
    (times,) = contestant.clock.wall.values()
    assert len(times) == 2  # the first one warms up


def test_a_period_of_other_decisions_is_no_figure(contestant):
    stepper = Stepper(contestant.detector, READ, Clock(), 'quarter')
    with pytest.raises(RuntimeError, match='quarter: a step was READ'):
        stepper.period(IMAGES)


def test_time_of_many_alike_is_that_of_one():
    clock = Clock()
    with clock.measure('one', 4), clock.measure('all'):
        sum(range(100_000))
    assert clock.wall['one'][0] < clock.wall['all'][0]


def test_stages_lie_within_the_step(contestant):
    stages = contestant.stages(READ, 3, IMAGES)
    times = {one.name: one for one in stages.stages}
    assert {'decode', 'resize', 'reader', 'encoders', 'head'} <= set(times)
    assert 'motion and correction' not in times  # of weights without a peek
    assert times['reader'].least <= stages.step.p99
    assert 'read' not in vars(contestant.detector.network)  # nobody watches any more


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
    assert record.backends[0].quarter.count == record.backends[0].quarter_carried.count == 1
    assert 'FORECAST' in capsys.readouterr().out
