"""Passes over cached features, the oracle, and the sweep: equal to running frame by frame."""

import argparse
import csv
import json

import numpy as np
import pytest
from test_evaluation_average_precision import found, there
from test_evaluation_cli import weights  # noqa: F401 (a fixture)
import torch

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli import sweep as sweep_command
from forecast_detector.data.base import Clip
from forecast_detector.evaluation.baselines import HoldBoxes
from forecast_detector.evaluation.batched import Bench, read_share
from forecast_detector.evaluation.detector import DetectorRunner, evaluation_config
from forecast_detector.evaluation.oracle import frame_loss, run_oracle
from forecast_detector.evaluation.policies import make_runner
from forecast_detector.evaluation.run import run_clips
from forecast_detector.evaluation.sweep import BASELINES, carry, differences, recommend, Sweep
from forecast_detector.evaluation.taps import FeatureCache
from forecast_detector.streaming import StreamingDetector
from forecast_detector.types import Action, Policy


class NoisyClip(Clip):
    """Random images, their decodings counted; one object that moves by two pixels a frame."""

    def __init__(self, name, seed, length):
        self.name, self.length, self.decoded = name, length, 0
        self.images = np.random.default_rng(seed).integers(0, 255, (length, 64, 80, 3), np.uint8)

    def __len__(self):
        return self.length

    def read(self, index):
        self.decoded += 1
        return self.images[index]

    def truth(self, index):
        return there((5 + 2 * index, 5, 45 + 2 * index, 45, index % 2, 0))


@pytest.fixture
def clips():
    return [NoisyClip('a', 1, 9), NoisyClip('b', 2, 6), NoisyClip('c', 3, 12)]


@pytest.fixture
def detector(weights):  # noqa: F811
    return StreamingDetector(load_checkpoint(weights), device='cpu')


def assert_same(runs, others):
    for run, other in zip(runs, others, strict=True):
        assert [s.action for s in run.steps] == [s.action for s in other.steps]
        for step, same in zip(run.steps, other.steps, strict=True):
            strong = step.detections.scores > 0.0101
            count = int(strong.sum())
            assert step.detections.scores[:count] == pytest.approx(
                same.detections.scores[:count], abs=1e-4)


@pytest.mark.parametrize(('policy', 'every'), [('read', 1), ('alternate', 3), ('copy', 2)])
def test_a_cached_pass_side_by_side_is_as_frame_by_frame(detector, weights, clips, policy, every):  # noqa: F811,E501
    config = evaluation_config(
        Policy.READ if policy == 'read' else Policy.ALTERNATE, read_every=every)
    bench = Bench(detector, clips, width=2)
    first = bench.run(config, policy == 'copy')
    again = bench.run(config, policy == 'copy')
    other = StreamingDetector(load_checkpoint(weights), device='cpu')
    direct = run_clips(make_runner(policy, other, read_every=every), clips)
    assert_same(first, direct)
    assert_same(again, direct)


def test_a_second_pass_decodes_nothing_and_forecasts_never_do(detector, clips):
    bench = Bench(detector, clips)
    bench.run(evaluation_config(Policy.ALTERNATE, read_every=3))
    assert [clip.decoded for clip in clips] == [3, 2, 4]
    bench.run(evaluation_config(Policy.READ))
    assert [clip.decoded for clip in clips] == [9, 6, 12]
    bench.run(evaluation_config(Policy.READ))
    assert [clip.decoded for clip in clips] == [9, 6, 12]


def test_a_full_cache_costs_time_and_changes_nothing(detector, clips):
    bench = Bench(detector, clips)
    whole = bench.run(evaluation_config(Policy.READ))
    bench.tap.cache = FeatureCache(limit_bytes=5 * 16 * 9 * 4)
    assert_same(bench.run(evaluation_config(Policy.READ)), whole)
    assert_same(bench.run(evaluation_config(Policy.READ)), whole)


def test_copy_sees_the_features_of_the_last_read_on_every_frame_until_the_next(detector, clips):
    seen = []
    runner = make_runner('copy', detector, read_every=3)
    inner = detector._network._inner
    step = inner.step

    def spy(features, state):
        seen.append(features.clone())
        return step(features, state)

    inner.step = spy
    run_clips(runner, clips[:1])
    for index, features in enumerate(seen):
        assert torch.equal(features, seen[index - index % 3])
    assert not torch.equal(seen[0], seen[3])


def test_loss_of_a_frame_counts_misses_and_false_detections_by_score():
    truth = there((0, 0, 10, 10, 0, 0), (20, 0, 30, 10, 0, 1))
    detections = found((0, 0, 10, 10, 0.75, 0), (50, 0, 60, 10, 0.5, 0))
    # One found with 0.75 (1/4 lost), one missed, one false of 0.5.
    assert frame_loss(detections, truth) == pytest.approx(0.25 + 1 + 0.5)
    assert frame_loss(found(), truth) == 2
    assert frame_loss(found(), there()) == 0


def test_the_oracle_reads_all_or_nothing_at_the_ends_of_its_threshold(detector, clips):
    bench = Bench(detector, clips)
    everything, regrets = run_oracle(bench, -1e9)
    assert read_share(everything) == 1.0
    assert_same(everything, bench.run(evaluation_config(Policy.READ)))
    assert len(regrets) == sum(len(clip) - 1 for clip in clips)
    nothing, _ = run_oracle(bench, 1e9)
    assert read_share(nothing) == pytest.approx(3 / 27)
    assert_same(nothing, bench.run(evaluation_config(Policy.SCHEDULER, p=0.0)))


def test_held_boxes_of_replayed_reads_are_as_run_directly(detector, weights, clips):  # noqa: F811
    shown = Bench(detector, clips).run(evaluation_config(Policy.READ), every=2)
    assert [len(run.steps) for run in shown] == [5, 3, 6]
    other = StreamingDetector(load_checkpoint(weights), device='cpu')
    direct = run_clips(make_runner('hold', other, read_every=2), clips)
    assert_same(carry(shown, clips, HoldBoxes(), 2), direct)


def test_anticipation_detects_on_the_forecast_and_is_timed(detector, clips):
    runner = DetectorRunner(detector, evaluation_config(Policy.READ), anticipates=True)
    steps = run_clips(runner, clips[:1])[0].steps
    assert all(step.anticipation_ms > 0 for step in steps)
    assert all(len(step.anticipated) for step in steps)
    plain = run_clips(DetectorRunner(detector, evaluation_config(Policy.READ)), clips[:1])
    assert all(step.anticipated is None for step in plain[0].steps)


def test_a_sweep_measures_the_scheduler_and_every_baseline(detector, clips):
    sweep = Sweep(Bench(detector, clips), detector.labels)
    points = list(sweep.points())
    scheduled = {q.p: q.read_share for q in points if q.policy == 'scheduler'}
    assert scheduled[1.0] == 1.0
    assert scheduled[0.0] == pytest.approx(3 / 27)
    assert list(dict(sorted(scheduled.items())).values()) == sorted(scheduled.values())
    for policy in BASELINES:
        assert {q.read_every for q in points if q.policy == policy} == {2, 3, 4, 6}
    for point in points:
        if point.policy in ('alternate', 'hold'):
            reads = sum(-(-len(clip) // point.read_every) for clip in clips)
            assert point.read_share == pytest.approx(reads / 27)
        assert point.ms_per_frame > 0
    assert recommend(points, share=0.2).read_share <= 0.2
    assert recommend(points, loss=1.0).read_share == min(scheduled.values())
    assert recommend(points, ms=0.0) is None
    for row in differences(points):
        assert row['low'] <= row['high']


def test_the_command_writes_json_table_and_picture(tmp_path, weights, monkeypatch):  # noqa: F811
    pytest.importorskip('matplotlib')
    from forecast_detector.data import base
    from forecast_detector.evaluation import datasets
    clips = [NoisyClip('a', 1, 9), NoisyClip('b', 2, 6)]
    monkeypatch.setattr(
        datasets, '_load', lambda *args: base.ClipDataset(('bolt', 'nut'), clips))
    parser = argparse.ArgumentParser()
    sweep_command.add_arguments(parser)
    assert sweep_command.run(parser.parse_args([
        '--weights', str(weights), '--dataset', 'synthetic', '--baselines', 'alternate', 'hold',
        '--json', str(tmp_path / 's.json'), '--csv', str(tmp_path / 's.csv'),
        '--plot', str(tmp_path / 's.png'), '--want-share', '0.5', '--device', 'cpu',
    ])) == 0
    result = json.loads((tmp_path / 's.json').read_text())
    assert {'policy', 'p', 'read_every', 'read_share', 'map50', 'map50_tolerant', 'by_speed',
            'ms_per_frame'} == set(result['points'][0])
    with open(tmp_path / 's.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result['points'])
    assert 'map50_slow' in rows[0]
    assert (tmp_path / 's.png').stat().st_size > 1000


def test_reads_come_first_and_reset_between_passes(detector, clips):
    bench = Bench(detector, clips)
    for _ in range(2):
        runs = bench.run(evaluation_config(Policy.SCHEDULER, p=0.0))
        assert all(run.steps[0].action is Action.READ for run in runs)
