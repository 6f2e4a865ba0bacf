"""Runs over features read once, the oracle, and the sweep: equal to running frame by frame."""

import csv
import json

from evaluation_samples import found, NoisyClip, there
import numpy as np
import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.command import parse
from forecast_detector.cli.sweep import SweepCommand
from forecast_detector.data.base import Clip
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.oracle import run_oracle
from forecast_detector.evaluation.points import differences, recommend
from forecast_detector.evaluation.rollout import read_share, run_settings, Setting
from forecast_detector.evaluation.run import run_clips
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.evaluation.sweep import carry, Sweeper
from forecast_detector.evaluation.thresholds import ShareCurve
from forecast_detector.flow import LONGER_SIDE
from forecast_detector.policies.detector import DetectorRunner, evaluation_config
from forecast_detector.policies.registry import make_runner
from forecast_detector.policies.table import BASELINES, SCHEDULED_CARRIERS
from forecast_detector.scoring.frame_loss import frame_loss
from forecast_detector.types import Action, Policy, Reason


@pytest.fixture
def clips():
    return [NoisyClip('a', 1, 9), NoisyClip('b', 2, 6), NoisyClip('c', 3, 12)]


@pytest.fixture
def detector(weights):
    return StreamingDetector(load_checkpoint(weights), device='cpu')


def assert_same(runs, others):
    for run, other in zip(runs, others, strict=True):
        assert [s.action for s in run.steps] == [s.action for s in other.steps]
        for step, same in zip(run.steps, other.steps, strict=True):
            strong = step.detections.scores > 0.0101
            count = int(strong.sum())
            assert step.detections.scores[:count] == pytest.approx(
                same.detections.scores[:count], abs=1e-4)


def test_settings_side_by_side_are_as_each_frame_by_frame(detector, clips):
    store = FeatureStore(detector, clips)
    cases = [('read', 1), ('alternate', 3), ('copy', 2), ('alternate', 2)]
    together = run_settings(store, [
        Setting(evaluation_config(
            Policy.READ if policy == 'read' else Policy.ALTERNATE, read_every=every
        ), policy == 'copy') for policy, every in cases
    ])
    for (policy, every), runs in zip(cases, together):
        assert_same(runs, run_clips(make_runner(policy, detector, read_every=every), clips))


def test_the_scheduler_steers_batched_streams_as_it_steers_one(steered, clips):
    store = FeatureStore(steered, clips)
    everything = run_settings(store, [Setting(evaluation_config(Policy.SCHEDULER, 1.0))])[0]
    seen = sorted(s.confidence for run in everything for s in run.steps[1:])
    assert seen[-1] - seen[0] > 1e-3
    thresholds = [seen[0] / 2] + [(seen[i] + seen[i + 1]) / 2 for i in (3, 8, 16)]
    together = run_settings(
        store, [Setting(evaluation_config(Policy.SCHEDULER, p)) for p in thresholds])
    for p, runs in zip(thresholds, together):
        direct = run_clips(make_runner('scheduler', steered, p), clips)
        assert_same(runs, direct)
        for run, other in zip(runs, direct):
            assert [s.confidence for s in run.steps] == pytest.approx(
                [s.confidence for s in other.steps], abs=1e-4, nan_ok=True)
            assert [s.reason for s in run.steps] == [s.reason for s in other.steps]
    assert 0 < read_share(together[2]) < 1


@pytest.mark.parametrize('changes', [
    {'commit_on_forecast': False}, {'accumulate': False}, {'max_consecutive_forecasts': 2},
], ids=lambda changes: next(iter(changes)))
def test_other_settings_of_a_stream_hold_for_batched_streams_too(steered, clips, changes):
    store = FeatureStore(steered, clips)
    # Low enough that there are many forecasts in a row.
    p = 1e-3
    settings = [Setting(evaluation_config(Policy.SCHEDULER, p, **more)) for more in ({}, changes)]
    plain, changed = run_settings(store, settings)
    direct = run_clips(make_runner('scheduler', steered, p, **changes), clips)
    assert_same(changed, direct)

    def traces(runs):
        return [[(s.confidence, *s.detections.scores[:3]) for s in run.steps[1:]] for run in runs]

    assert traces(changed) != traces(plain)


@pytest.mark.parametrize('steered', [0], ids=['blind'], indirect=True)
def test_a_sweep_takes_other_settings_of_a_stream(steered, clips):
    sweep = Sweeper(FeatureStore(steered, clips), steered.labels, accumulate=False)
    points = [q for q in sweep.points([]) if q.p < 1]
    for point in points:
        runs = run_clips(make_runner('scheduler', steered, point.p, accumulate=False), clips)
        assert read_share(runs) == pytest.approx(point.read_share)
    assert points


def test_a_copy_takes_no_peek_and_leaves_the_detector_as_it_was(steered, clips, monkeypatch):
    network, previews = steered.network, []
    preview = network.preview
    monkeypatch.setattr(
        network, 'preview', lambda *given: previews.append(1) or preview(*given))
    run_clips(make_runner('copy', steered), clips[:1])
    assert not previews and steered.network is network
    run_clips(make_runner('alternate', steered), clips[:1])
    assert bool(previews) is bool(network.config.peek)


def test_a_change_of_image_size_within_a_clip_is_a_reset_as_in_a_stream(steered, clips):
    clips[0].images = [image if i < 4 else image[:48, :56]
                       for i, image in enumerate(clips[0].images)]
    direct = run_clips(make_runner('alternate', steered, read_every=2), clips)
    runs = run_settings(
        FeatureStore(steered, clips), [Setting(evaluation_config(Policy.ALTERNATE))])[0]
    assert_same(runs, direct)
    assert Reason.RESET in [step.reason for step in runs[0].steps]
    assert [s.reason for s in runs[0].steps] == [s.reason for s in direct[0].steps]


def test_every_frame_is_decoded_once_and_beyond_the_limit_kept_in_a_file(detector, clips):
    in_memory = FeatureStore(detector, clips)
    in_file = FeatureStore(detector, clips, limit_bytes=0)
    assert [clip.decoded for clip in clips] == [18, 12, 24]
    assert torch.equal(in_memory.features(range(27)), in_file.features(range(27)))
    setting = [Setting(evaluation_config(Policy.READ))]
    assert_same(run_settings(in_memory, setting)[0], run_settings(in_file, setting)[0])
    assert [clip.decoded for clip in clips] == [18, 12, 24]


@pytest.mark.parametrize('steered', [4], ids=['peek'], indirect=True)
def test_features_previews_and_thumbnails_share_one_limit_of_memory(steered, clips):
    whole = FeatureStore(steered, clips)
    frames = range(27)
    parts = [values.element_size() * values.numel()
             for values in (whole.features(frames), whole.previews(frames))]
    parts.append(27 * LONGER_SIDE ** 2)
    assert whole.memory_bytes == sum(parts)
    for limit, kept in ((sum(parts), sum(parts)), (sum(parts) - 1, sum(parts[:2])),
                        (sum(parts[:2]) - 1, parts[0]), (0, 0)):
        store = FeatureStore(steered, clips, limit_bytes=limit)
        assert store.memory_bytes == kept <= limit
        assert torch.equal(store.features(frames), whole.features(frames))
        assert torch.equal(store.previews(frames), whole.previews(frames))
        assert (store.thumbnail(26) == whole.thumbnail(26)).all()


def test_a_store_asks_a_clip_for_each_frame_once(steered, clips):
    asked = []
    for clip in clips:
        clip.frame = lambda index, clip=clip: asked.append(index) or Clip.frame(clip, index)
    store = FeatureStore(steered, clips)
    runs = run_settings(store, [Setting(evaluation_config(Policy.ALTERNATE))])[0]
    carry(store, 'hold', runs[:1], 2)
    run_oracle(store, 0.0)
    assert len(asked) == 27
    assert store.frame(9).frame_id == 'b'
    with pytest.raises(RuntimeError, match='no images'):
        store.frame(9).load()


def test_a_copy_under_the_scheduler_is_refused():
    with pytest.raises(ValueError, match='copy under policy scheduler'):
        Setting(evaluation_config(Policy.SCHEDULER, 0.5), copy=True)


def test_copy_sees_the_features_of_the_last_read_on_every_frame_until_the_next(detector, clips):
    seen = []
    runner = make_runner('copy', detector, read_every=3)
    encode = detector.network.encode

    def spy(features, state):
        seen.append(features.clone())
        return encode(features, state)

    detector.network.encode = spy
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


def test_the_oracle_reads_all_or_nothing_at_the_ends_of_its_threshold(steered, clips):
    store = FeatureStore(steered, clips)
    everything, regrets = run_oracle(store, -1e9)
    assert read_share(everything) == 1.0
    assert_same(everything, run_settings(store, [Setting(evaluation_config(Policy.READ))])[0])
    assert len(regrets) == sum(len(clip) - 1 for clip in clips)
    nothing, _ = run_oracle(store, 1e9)
    assert read_share(nothing) == pytest.approx(3 / 27)
    never = Setting(evaluation_config(Policy.ALTERNATE, read_every=100))
    assert_same(nothing, run_settings(store, [never])[0])


def test_the_oracle_reads_where_forecasting_costs_most(steered, clips):
    runs, regrets = run_oracle(FeatureStore(steered, clips), 0.0)
    actions = [step.action for run in runs for step in run.steps[1:]]
    assert len(actions) == len(regrets)
    assert {Action.READ, Action.FORECAST} == set(actions)
    assert actions.count(Action.READ) == sum(regret > 0 for regret in regrets)


def test_held_boxes_of_replayed_reads_are_as_run_directly(detector, clips):
    store = FeatureStore(detector, clips)
    shown = run_settings(store, [Setting(evaluation_config(Policy.READ), every=2)])[0]
    assert [len(run.steps) for run in shown] == [5, 3, 6]
    carried = carry(store, 'hold', shown, 2)
    assert_same(carried, run_clips(make_runner('hold', detector, read_every=2), clips))


@pytest.mark.parametrize('policy', SCHEDULED_CARRIERS)
def test_scheduled_boxes_are_read_where_the_scheduler_reads_and_carried_elsewhere(
    steered, clips, policy
):
    store = FeatureStore(steered, clips)
    everything = run_settings(store, [Setting(evaluation_config(Policy.SCHEDULER, 1.0))])[0]
    p = float(np.median([s.confidence for run in everything for s in run.steps[1:]])) + 1e-5
    own = run_settings(store, [Setting(evaluation_config(Policy.SCHEDULER, p))])[0]
    direct = run_clips(make_runner(policy, steered, p), clips)
    assert_same(carry(store, policy, own), direct)
    assert 0 < read_share(direct) < 1
    for run, scheduled in zip(direct, own):
        for step, other in zip(run.steps, scheduled.steps):
            assert step.action is other.action
            if step.action is Action.READ:
                assert step.detections.scores == pytest.approx(other.detections.scores, abs=1e-4)


def test_anticipation_detects_on_the_forecast_and_is_timed(detector, clips):
    runner = DetectorRunner(detector, evaluation_config(Policy.READ), anticipates=True)
    steps = run_clips(runner, clips[:1])[0].steps
    assert all(step.anticipation_ms > 0 for step in steps)
    assert all(len(step.anticipated) for step in steps)
    plain = run_clips(DetectorRunner(detector, evaluation_config(Policy.READ)), clips[:1])
    assert all(step.anticipated is None for step in plain[0].steps)


@pytest.mark.parametrize('steered', [0], ids=['blind'], indirect=True)
def test_a_sweep_measures_the_scheduler_and_every_baseline(steered, clips):
    store = FeatureStore(steered, clips)
    sweep = Sweeper(store, steered.labels)
    points = list(sweep.points(BASELINES))
    scheduled = {q.p: q.read_share for q in points if q.policy == 'scheduler'}
    assert scheduled[1.0] == 1.0
    for policy in BASELINES:
        if policy in SCHEDULED_CARRIERS:
            assert {q.p for q in points if q.policy == policy} == set(scheduled) - {1.0}
        else:
            assert {q.read_every for q in points if q.policy == policy} == {2, 3, 4, 6, 8}
    for point in points:
        if point.policy in ('alternate', 'hold'):
            reads = sum(-(-len(clip) // point.read_every) for clip in clips)
            assert point.read_share == pytest.approx(reads / 27)
        assert point.ms_per_frame > 0
    assert recommend(points, share=0.6).read_share <= 0.6
    assert recommend(points, loss=1.0).read_share == min(scheduled.values())
    assert recommend(points, ms=0.0) is None
    for row in differences(points):
        assert row.low <= row.high


@pytest.mark.parametrize('steered', [0], ids=['blind'], indirect=True)
def test_each_wanted_share_is_met_where_confidences_allow_it(steered):
    clips = [NoisyClip(str(seed), seed, 40) for seed in range(4)]
    store = FeatureStore(steered, clips)
    points = Sweeper(store, steered.labels).points([])
    shares = [point.read_share for point in points]
    for every in (1, 2, 3, 4, 6, 8):
        assert min(abs(share - 1 / every) for share in shares) <= 0.03


def test_p_lies_between_confidences_and_corrects_itself_by_whole_runs():
    seen = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    curve = ShareCurve([0.0, 0.45, 1.0], [0.0, 0.5, 1.0], seen)
    p = curve.p_for(0.5)
    assert 0.4 < p < 0.5
    assert curve.estimate([0.45])[0] == pytest.approx(0.5)
    # A whole run at that p read more than in the sample: half is met by a lower p.
    curve.add(p, 0.7)
    assert curve.estimate([p])[0] == pytest.approx(0.7)
    assert curve.p_for(0.5) < 0.4


def test_the_command_writes_json_table_and_picture(tmp_path, weights, monkeypatch):
    pytest.importorskip('matplotlib')
    from forecast_detector.data import base
    from forecast_detector.data import registry as datasets
    clips = [NoisyClip('a', 1, 9), NoisyClip('b', 2, 6)]
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: base.ClipDataset(('bolt', 'nut'), clips))
    assert parse(SweepCommand, [
        '--weights', str(weights), '--dataset', 'synthetic', '--baselines', 'alternate', 'hold',
        '--json', str(tmp_path / 's.json'), '--csv', str(tmp_path / 's.csv'),
        '--plot', str(tmp_path / 's.png'), '--want-share', '0.5', '--device', 'cpu',
        '--time-pass',
    ]).run() == 0
    result = json.loads((tmp_path / 's.json').read_text())
    assert {'policy', 'p', 'read_every', 'read_share', 'map50', 'map50_tolerant', 'agreement50',
            'recall50', 'frames_to_find', 'annotated_recall50', 'annotated_overlap', 'by_speed',
            'ms_per_frame'} == set(result['points'][0])
    assert 0 < result['read_s'] < result['sweep_s']
    assert result['pass_s'] > 0 < result['pass_cpu_s']
    assert result['sweep_cpu_s'] > 0
    with open(tmp_path / 's.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result['points'])
    assert 'map50_slow' in rows[0]
    assert (tmp_path / 's.png').stat().st_size > 1000
