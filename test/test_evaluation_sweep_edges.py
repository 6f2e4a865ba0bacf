"""Sweeps and diagnoses where something is missing: confidences, truth, some of the bags."""

import csv
import json
import math

from evaluation_samples import NoisyClip
import numpy as np
import pytest
from recording_samples import flat, LABELS, make_folder, one, STEP_NS, write_bag
import torch

from forecast_detector.bags import BagWriter
from forecast_detector.bags.messages import default_typestore, IMAGE, make_header
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.command import parse
from forecast_detector.cli.main import main
from forecast_detector.cli.options import OptionError
from forecast_detector.cli.sweep import SweepCommand
from forecast_detector.data import registry as datasets
from forecast_detector.data.base import ClipDataset, Truth
from forecast_detector.data.rosbag import RosbagClip
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation import trade_off
from forecast_detector.evaluation.points import unmet_shares
from forecast_detector.evaluation.rollout import read_share
from forecast_detector.evaluation.run import run_clips
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.evaluation.sweep import Sweeper
from forecast_detector.policies.registry import make_runner

blind = pytest.mark.parametrize('steered', [0], ids=['blind'], indirect=True)


class BrokenClip(NoisyClip):
    """A stream that is reset, because its stamps go back, before every ``every``-th frame."""

    def __init__(self, name, seed, length, every):
        super().__init__(name, seed, length)
        self.every = every

    def stamp_ns(self, index):
        return 10**12 + index % self.every * 10**8 - index // self.every * 10**10


class UnseenClip(NoisyClip):
    """A clip that nobody looked at."""

    def truth(self, index):
        return Truth(annotated=False)


class EmptyClip(NoisyClip):
    """A clip in which nobody saw an object."""

    def truth(self, index):
        return Truth()


def points_of(detector, clips, baselines):
    return list(Sweeper(FeatureStore(detector, clips), detector.labels).points(baselines))


@blind
def test_frames_without_a_confidence_are_read_and_the_others_swept(steered):
    clips = [BrokenClip(str(seed), seed, 12, 4) for seed in range(2)]
    points = [q for q in points_of(steered, clips, []) if q.policy == 'scheduler']
    assert len(points) > 1
    for point in points:
        assert math.isfinite(point.p) and point.read_share >= 1 / 4
        # What evaluate gives at the same p, reset by reset.
        runs = run_clips(make_runner('scheduler', steered, point.p), clips)
        assert read_share(runs) == pytest.approx(point.read_share)
        starts = [step.confidence for run in runs for step in run.steps[::4]]
        assert all(math.isnan(value) for value in starts)


@blind
@pytest.mark.parametrize('why', ['resets', 'one frame', 'scheduler'])
def test_without_any_confidence_every_frame_is_read_and_the_baselines_measured(
    steered, why
):
    clips = [BrokenClip('a', 1, 8, 1)] if why == 'resets' else [NoisyClip('a', 1, 8)]
    if why == 'one frame':
        clips = [NoisyClip(str(seed), seed, 1) for seed in range(4)] + [NoisyClip('b', 5, 2)]
        clips[-1].stamp_ns = lambda index: 10**12 - 10**10 * index
    if why == 'scheduler':
        with torch.no_grad():
            steered.network.scheduler.fc.weight.fill_(math.nan)
    points = points_of(steered, clips, ['alternate', 'scheduled_kalman'])
    assert [(q.p, q.read_share) for q in points if q.policy == 'scheduler'] == [(1.0, 1.0)]
    assert {q.read_every for q in points if q.policy == 'alternate'} == {2, 3, 4, 6, 8}
    assert not [q for q in points if q.policy == 'scheduled_kalman']
    assert unmet_shares(points) == [1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8]


def run(out, weights, *options):
    """Run the command; returns exit status and JSON."""
    status = parse(SweepCommand, [
        '--weights', str(weights), '--device', 'cpu', '--baselines', 'hold',
        '--json', str(out / 's.json'), *map(str, options)]).run()
    return status, json.loads((out / 's.json').read_text())


@pytest.mark.parametrize('wish', [(), ('--want-share', 0.5), ('--want-loss', 0.1)])
def test_without_objects_shares_and_times_are_named_and_nothing_is_recommended(
    weights, tmp_path, monkeypatch, capsys, wish
):
    pytest.importorskip('matplotlib')
    clips = [EmptyClip('a', 1, 9), EmptyClip('b', 2, 6)]
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: ClipDataset(('bolt', 'nut'), clips))
    status, result = run(tmp_path, weights, '--dataset', 'synthetic', *wish,
                         '--plot', tmp_path / 's.png', '--csv', tmp_path / 's.csv')
    assert status == 0
    assert {point['map50'] for point in result['points']} == {None}
    assert all(point['ms_per_frame'] > 0 for point in result['points'])
    assert (result['differences'], result['recommended']) == ([], None)
    assert 'recommended: none, there is no truth to choose by' in capsys.readouterr().out
    with open(tmp_path / 's.csv', newline='') as file:
        assert {row['map50'] for row in csv.DictReader(file)} == {''}
    assert (tmp_path / 's.png').stat().st_size > 1000


@pytest.mark.parametrize('command', ['sweep', 'diagnose'])
def test_what_nobody_annotated_is_refused_before_a_frame_is_read(
    command, weights, tmp_path, monkeypatch, capsys
):
    clip = UnseenClip('a', 1, 9)
    monkeypatch.setattr(clip, 'read', None)
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: ClipDataset(('bolt', 'nut'), [clip]))
    options = ['--weights', str(weights), '--device', 'cpu', '--dataset']
    assert main([command, *options, 'synthetic']) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert 'error: no frame has a truth' in said and 'give --reference read' in said
    # Videos never have one: not even the weights are opened.
    monkeypatch.setattr('forecast_detector.checkpoint.load_checkpoint', None)
    assert main([command, *options, 'video', '--root', str(tmp_path)]) == 2
    assert '--dataset video: has no truth' in capsys.readouterr().err


def test_a_truth_of_some_frames_is_told_before_a_frame_is_read(
    weights, tmp_path, monkeypatch, capsys
):
    def stop(*arguments, **more):
        raise RuntimeError('stopped here')

    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: ClipDataset(
            ('bolt', 'nut'), [UnseenClip('a', 1, 9), NoisyClip('b', 1, 6)]))
    monkeypatch.setattr(trade_off, 'FeatureStore', stop)
    with pytest.raises(RuntimeError, match='stopped here'):
        run(tmp_path, weights, '--dataset', 'synthetic')
    assert '6 of 15 frames are annotated' in capsys.readouterr().err


def test_other_settings_of_a_stream_are_taken_by_the_command(
    weights, tmp_path, monkeypatch, capsys
):
    clips = [NoisyClip('a', 1, 12), NoisyClip('b', 2, 12)]
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: ClipDataset(('bolt', 'nut'), clips))
    options = ('--dataset', 'synthetic', '--max-consecutive-forecasts', 1, '--no-accumulate',
               '--no-commit')
    status, result = run(tmp_path, weights, *options)
    assert status == 0
    assert min(q['read_share'] for q in result['points'] if q['policy'] == 'scheduler') >= 1 / 2
    assert result['unmet_shares'][-3:] == [1 / 4, 1 / 6, 1 / 8]
    assert 'no p gives a READ share of' in capsys.readouterr().err
    asked = ('max_consecutive_forecasts', 'accumulate', 'commit_on_forecast')
    assert [result['provenance'][key] for key in asked] == [1, False, False]
    # A limit of forecasts in a row is the scheduler's.
    detector = StreamingDetector(load_checkpoint(weights), device='cpu')
    sweep = Sweeper(FeatureStore(detector, clips), detector.labels, max_consecutive_forecasts=1)
    fixed = [q.read_share for q in sweep.points(['alternate']) if q.policy == 'alternate']
    assert fixed == pytest.approx([1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 6])  # of 12 frames
    with pytest.raises(OptionError, match='--no-commit: the oracle takes none'):
        run(tmp_path, weights, '--dataset', 'synthetic', '--no-commit', '--baselines', 'oracle')


def add_late_damage(folder):
    """Add a bag whose last image of five is of no known kind, which shows when it is decoded."""
    with BagWriter(folder / 'b_odd') as bag:
        for k in range(4):
            bag.image('/cam/image_raw', flat(0), k * STEP_NS)
            bag.detections('/cam/truth', one([1, 2, 11, 12], 0), LABELS, k * STEP_NS)
        odd = default_typestore().types[IMAGE](
            make_header(4 * STEP_NS, ''), 24, 32, 'odd8', 0, 96, np.zeros(24 * 96, np.uint8))
        bag.write('/cam/image_raw', IMAGE, odd, 4 * STEP_NS)


NAMES = ['b_odd', 'b_text.mcap', 'd_cut', 'e_empty', 'g_other', 'h_unknown', 'i_foreign']


def assert_named(result, said):
    assert sorted(row['name'].rpartition('/')[2] for row in result['skipped']) == NAMES
    named = [line for line in said.splitlines() if line.startswith('skipped: ')]
    assert len(named) == len(NAMES)
    for name in NAMES:
        assert any(name in line for line in named)


def test_a_sweep_skips_what_evaluate_skips(weights, tmp_path, capsys):
    add_late_damage(make_folder(tmp_path / 'bags'))
    status, result = run(tmp_path, weights, '--dataset', 'rosbag', '--root', tmp_path / 'bags',
                         '--image-topic', '/cam/image_raw', '--time-pass')
    assert (status, result['frames']) == (3, 34)
    assert_named(result, capsys.readouterr().err)
    assert result['points'][0]['map50'] is not None and result['pass_s'] > 0


@pytest.mark.parametrize('command', [
    ['diagnose', '--ahead', '1', '--p'], ['evaluate', '--policy', 'oracle'],
])
def test_so_do_a_diagnosis_and_the_oracle(command, weights, tmp_path, capsys):
    add_late_damage(make_folder(tmp_path / 'bags'))
    dump = ['--dump', str(tmp_path / 'dump.json')] if command[0] == 'evaluate' else []
    assert main([
        *command, '--weights', str(weights), '--device', 'cpu', '--dataset', 'rosbag',
        '--root', str(tmp_path / 'bags'), '--image-topic', '/cam/image_raw',
        '--json', str(tmp_path / 'd.json'), *dump,
    ]) == 3
    result = json.loads((tmp_path / 'd.json').read_text())
    assert result['frames'] == 34
    assert_named(result, capsys.readouterr().err)


@pytest.mark.parametrize('command', ['sweep', 'diagnose', 'evaluate'])
def test_nothing_but_broken_bags_is_an_error(command, weights, tmp_path, capsys):
    folder = tmp_path / 'bags'
    folder.mkdir()
    (folder / 'a.mcap').write_text('no bag')
    (folder / 'b').write_text('no bag')
    (folder / 'c.db3').write_text('no bag')
    (folder / 'd').symlink_to(folder / 'nowhere')
    assert main([command, '--weights', str(weights), '--device', 'cpu', '--dataset', 'rosbag',
                 '--root', str(folder)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len([line for line in said if line.startswith('skipped: ')]) == 3
    assert f'{folder}: none of its 3 bags can be used; see above' in said[-1]


def test_what_is_kept_of_a_store_is_as_if_the_bad_clip_had_not_been_there(
    steered, tmp_path
):
    add_late_damage(tmp_path)
    good = [NoisyClip('a', 1, 9), NoisyClip('b', 2, 20), NoisyClip('c', 3, 3)]
    bad, named = RosbagClip(tmp_path / 'b_odd', '/cam/image_raw'), []
    mixed = [bad, good[0], bad, bad, good[1], bad, good[2], bad]
    store = FeatureStore(steered, mixed, on_bad=lambda clip, error: named.append(clip.source))
    clean = FeatureStore(steered, good)
    assert named == [str(tmp_path / 'b_odd')] * 5
    assert (store.clips, store.first) == (good, clean.first)
    frames = range(32)
    # Batches are cut elsewhere: sums round differently.
    assert torch.allclose(store.features(frames), clean.features(frames), atol=1e-4)
    for frame in frames:
        assert (store.thumbnail(frame) == clean.thumbnail(frame)).all()
        assert store.geometry(frame) == clean.geometry(frame)


def test_a_message_of_many_lines_is_named_on_one(weights, tmp_path, capsys):
    write_bag(tmp_path / 'bags/a')
    broken = write_bag(tmp_path / 'bags/b')
    (broken / 'metadata.yaml').write_text('a: [1,\nb: {2\n\n  c: "')
    base = ['--weights', str(weights), '--device', 'cpu', '--dataset', 'rosbag']
    assert main(['evaluate', *base, '--root', str(tmp_path / 'bags'), '--json',
                 str(tmp_path / 'o.json')]) == 3
    skipped = json.loads((tmp_path / 'o.json').read_text())['skipped'][0]
    assert '\n' not in skipped['reason'] and skipped['name'] == str(broken)
    lines = [line for line in capsys.readouterr().err.splitlines() if str(broken) in line]
    assert len(lines) == 1 and lines[0].startswith('skipped: ')
    assert main(['detect', str(broken), '--weights', str(weights), '--device', 'cpu']) == 1
    assert 'broken, truncated' in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize('stride', [1, 2])
def test_a_bag_whose_stamps_go_back_is_named_by_streaming_ap(
    weights, tmp_path, capsys, stride
):
    write_bag(tmp_path / 'bags/a', frames=1)
    with BagWriter(tmp_path / 'bags/b') as bag:
        for k, stamp in enumerate((5, 6, 3)):
            bag.image('/cam/image_raw', flat(0), stamp * STEP_NS, log_ns=k)
    assert main(['evaluate', '--weights', str(weights), '--device', 'cpu', '--dataset', 'rosbag',
                 '--root', str(tmp_path / 'bags'), '--sap', '--latency', '5,5', '--policy', 'hold',
                 '--stride', str(stride)]) == 3
    line, = [one for one in capsys.readouterr().err.splitlines() if 'skipped' in one]
    assert f'{tmp_path}/bags/b: the stamp of frame' in line


def test_a_sweep_outlives_an_interruption_of_the_pass_beside_it(
    weights, tmp_path, monkeypatch
):
    clips = [NoisyClip('a', 1, 6), NoisyClip('b', 2, 6)]
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: ClipDataset(('bolt', 'nut'), clips))
    result = run(tmp_path, weights, '--dataset', 'synthetic', '--time-pass')[1]
    assert result['pass_s'] > 0 and result['pass_cpu_s'] > 0

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(trade_off, 'with_pass', interrupted)
    (tmp_path / 's.json').unlink()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, weights, '--dataset', 'synthetic', '--time-pass')
    kept = json.loads((tmp_path / 's.json').read_text())
    assert kept['pass_s'] is None
    assert len(kept['points']) == len(result['points'])
