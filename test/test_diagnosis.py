"""Looking into weights: the scheduler as a classifier, forecast errors, cuts between clips."""

import json

from evaluation_samples import found, NoisyClip, there
import numpy as np
import pytest
import torch

from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.cli.command import parse
from forecast_detector.cli.diagnose import DiagnoseCommand
from forecast_detector.data import base
from forecast_detector.data import registry as datasets
from forecast_detector.data.views import SplicedClip
from forecast_detector.diagnosis.classifier import auroc, judge, reliability, risk_coverage
from forecast_detector.diagnosis.forecast_ratio import forecast_ratios
from forecast_detector.diagnosis.splices import frames_until_found, LIMIT, run_splices
from forecast_detector.diagnosis.trials import run_trials, Trial
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.rollout import run_settings, Setting
from forecast_detector.evaluation.run import run_clips
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.policies.registry import make_runner
from forecast_detector.policies.step import Step
from forecast_detector.policies.table import CARRIERS
from forecast_detector.training.losses import Target
from forecast_detector.training.recipes import TemporalRecipe
from forecast_detector.training.scheduling import as_seen
from forecast_detector.training.success import forecast_serves
from forecast_detector.types import Action, Policy


@pytest.fixture
def clips():
    return [NoisyClip('a', 1, 7), NoisyClip('b', 2, 5)]


def arrays(*pairs):
    return np.array([c for c, _ in pairs]), np.array([bool(s) for _, s in pairs])


def test_auroc_counts_the_pairs_in_order():
    # Of the four pairs (serves, does not), three are in order.
    assert auroc(*arrays((0.9, 1), (0.8, 0), (0.3, 1), (0.2, 0))) == 0.75
    assert auroc(*arrays((0.5, 1), (0.5, 0))) == 0.5
    assert auroc(*arrays((0.1, 1), (0.7, 0))) == 0.0
    assert auroc(*arrays((0.1, 1), (0.7, 1))) is None


def test_reliability_and_risk_by_hand():
    confidence, serves = arrays((0.95, 1), (0.91, 1), (0.42, 0), (0.48, 1), (1.0, 0))
    bins = {round(b.low, 1): b for b in reliability(confidence, serves)}
    assert (bins[0.4].count, bins[0.4].confidence, bins[0.4].served) == (
        2, pytest.approx(0.45), 0.5)
    assert (bins[0.9].count, bins[0.9].served) == (3, pytest.approx(2 / 3))
    assert bins[0.0].served is None
    risk = dict(risk_coverage(confidence, serves))
    # The surest is wrong; of the surest two one, of all five two.
    assert (risk[0.2], risk[0.4], risk[1.0]) == (1.0, 0.5, 0.4)


def test_a_judgement_sums_up_and_its_interval_is_over_clips():
    trials = [
        Trial(clip, 1, c, s, Action.READ) for clip in (0, 1) for c, s in
        ((0.9, True), (0.8, False), (0.3, True), (0.2, False))
    ]
    judged = judge(trials, 2)
    assert (judged.trials, judged.served, judged.read_share) == (8, 0.5, 1.0)
    # Both clips are alike: every resample gives the same.
    assert (judged.auroc.low, judged.auroc.value, judged.auroc.high) == (0.75, 0.75, 0.75)
    assert judged.calibration_error == pytest.approx((0.1 + 0.8 + 0.7 + 0.2) / 4)
    assert judged.brier == pytest.approx((0.01 + 0.64 + 0.49 + 0.04) / 4)
    # Trials of one clip alone are in every resample that has any.
    for clips in (1, 2):
        alone = judge(trials[:4], clips).auroc
        assert (alone.low, alone.value, alone.high) == (None, 0.75, None)
    with pytest.raises(ValueError, match='no frame could be forecast'):
        judge([], 2)


def accumulate_runs(trials):
    """Multiply the confidences of each run of forecasts, as a stream does."""
    products = []
    for trial in trials:
        products.append(trial.confidence * (products[-1] if trial.age > 1 else 1.0))
    return products


@pytest.mark.parametrize('reads_all', [True, False])
def test_trials_see_the_confidences_of_the_streams_that_they_follow(steered, clips, reads_all):
    store = FeatureStore(steered, clips)
    p = 1.0
    if not reads_all:
        # Between the confidences of the stream that follows its forecasts as far as it goes.
        seen = [t.confidence for q in (0.0, 1.0) for t in run_trials(store, q, 0.5)]
        p = (min(seen) + max(seen)) / 2
    trials = run_trials(store, p, 0.5)
    runs = run_settings(store, [Setting(evaluation_config(Policy.SCHEDULER, p))])[0]
    for at, run in enumerate(runs):
        here = [trial for trial in trials if trial.clip == at]
        assert [trial.action for trial in here] == [step.action for step in run.steps[1:]]
        assert accumulate_runs(here) == pytest.approx(
            [step.confidence for step in run.steps[1:]], abs=1e-4)
    if reads_all:
        assert {trial.age for trial in trials} == {1}
    else:
        assert {trial.action for trial in trials} == set(Action)


def test_trials_are_labelled_as_in_training(steered, clips):
    if steered.network.config.peek:
        pytest.skip('a peek corrects the forecast first')
    store, network = FeatureStore(steered, clips), steered.network
    labels = []
    with torch.inference_mode():
        for at, clip in enumerate(clips):
            state = network.zero_state(store.features([0]))
            for t in range(len(clip) - 1):
                now, after = store.features([store.first[at] + t]), store.first[at] + t + 1
                forecast, _, state = network.encode(now, state)
                truth, geometry = clip.truth(t + 1), store.geometry(after)
                boxes = torch.from_numpy(geometry.to_input(truth.boxes).astype(np.float32))
                labels.append(bool(forecast_serves(
                    network, as_seen(network, forecast, state),
                    as_seen(network, store.features([after]), state),
                    [Target(boxes, torch.from_numpy(truth.labels))], steered.decoding,
                    TemporalRecipe(relative=True, success_iou=0.3),
                )))
    trials = sorted(run_trials(store, 1.0, 0.3), key=lambda trial: trial.clip)
    assert [trial.serves for trial in trials] == labels


def test_a_forecast_that_copies_has_the_error_of_a_copy(weights, clips):
    # Fresh encoders add nothing to what they get.
    detector = StreamingDetector(load_checkpoint(weights), device='cpu')
    ratios = forecast_ratios(FeatureStore(detector, clips), 3)
    assert [ratio.ratio for ratio in ratios] == pytest.approx([1.0] * 3, abs=1e-5)
    assert [ratio.frames for ratio in ratios] == [6 + 4, 5 + 3, 4 + 2]
    alone = forecast_ratios(FeatureStore(detector, clips[:1]), 1)[0]
    assert alone.ratio == pytest.approx(1.0, abs=1e-5)
    assert (alone.low, alone.high) == (None, None)
    assert all(ratio.low is not None for ratio in ratios)
    still = [NoisyClip('a', 1, 4)]
    still[0].images[:] = still[0].images[0]
    assert forecast_ratios(FeatureStore(detector, still), 1)[0].ratio is None


def test_a_forecast_is_compared_with_what_reading_gives(steered, clips):
    if steered.network.config.peek:
        pytest.skip('a peek corrects the forecast first')
    store, network = FeatureStore(steered, clips[:1]), steered.network
    true = store.features(range(7))
    ours = copies = 0.0
    with torch.inference_mode():
        state = network.zero_state(true[:1])
        for t in range(5):
            forecast, _, state = network.encode(true[t:t + 1], state)
            second, _, _ = network.encode(forecast, state)
            ours += (true[t + 2] - second[0]).norm().item()
            copies += (true[t + 2] - true[t]).norm().item()
    assert forecast_ratios(store, 2)[1].ratio == pytest.approx(ours / copies, rel=1e-4)


def test_frames_until_found_are_counted_from_the_first_frame_with_an_object():
    class Boxes(base.Clip):
        def __init__(self, truths):
            self.truths = truths

        def __len__(self):
            return len(self.truths)

        def read(self, index):
            raise AssertionError

        def truth(self, index):
            return self.truths[index]

    def step(*rows):
        return Step(found(*rows), Action.READ, 0.0)

    box, right = there((0, 0, 10, 10, 1, 0)), (0, 0, 10, 9, 0.5, 1)
    clips = [Boxes([box]), Boxes([there(), box, box, box]), Boxes([there()]), Boxes([box, box])]
    steps = [
        step(),
        # Weak, then of another class, then right: two frames after the object came.
        step(right), step((0, 0, 10, 9, 0.2, 1)), step((0, 0, 10, 9, 0.9, 0)), step(right),
        # No object, no wait; never found.
        step(right), step(), step((5, 5, 15, 15, 0.9, 1)),
    ]
    assert frames_until_found(clips, steps) == [2, LIMIT]


def test_splices_run_as_one_stream_without_a_reset(steered, clips):
    store = FeatureStore(steered, clips)
    spliced = SplicedClip(clips)
    rows = run_splices(store, steered.labels, [0.5], [2])
    assert [row.policy for row in rows] == [
        'read', 'scheduler', 'scheduled_kalman', 'scheduled_flow', 'alternate', 'copy', *CARRIERS]
    assert all(len(row.frames_until_found) == 1 for row in rows)
    assert rows[0].versus_read.value == 0.0
    # One cut gives every resample the same.
    assert {(row.mean.low, row.versus_read.high) for row in rows} == {(None, None)}
    runs = run_clips(make_runner('scheduler', steered, 0.5), [spliced])
    actions = [step.action for step in runs[0].steps]
    assert rows[1].read_share == actions.count(Action.READ) / len(spliced)
    assert frames_until_found(clips, runs[0].steps) == rows[1].frames_until_found
    with pytest.raises(ValueError, match='at least two'):
        run_splices(FeatureStore(steered, clips[:1]), steered.labels, [0.5], [2])
    with pytest.raises(ValueError, match='clips of 7 frames for a store of 12'):
        store.regrouped(clips[:1])


def test_the_command_writes_json_table_and_picture(tmp_path, weights, monkeypatch, capsys):
    pytest.importorskip('matplotlib')
    clips = [NoisyClip('a', 1, 9), NoisyClip('b', 2, 6)]
    monkeypatch.setitem(
        datasets.KINDS, 'synthetic', lambda place: base.ClipDataset(('bolt', 'nut'), clips))
    assert parse(DiagnoseCommand, [
        '--weights', str(weights), '--dataset', 'synthetic', '--p', '0.4', '--device', 'cpu',
        '--json', str(tmp_path / 'd.json'), '--plot', str(tmp_path / 'd.png'), '--ahead', '2',
    ]).run() == 0
    result = json.loads((tmp_path / 'd.json').read_text())
    assert [judged['p'] for judged in result['classifier']] == [1.0, 0.4]
    assert [ratio['ahead'] for ratio in result['forecast_error']] == [1, 2]
    assert {cut['policy'] for cut in result['cuts']} >= {'read', 'scheduler', 'kalman'}
    assert all(cut['at_once'] == cut['frames_until_found'].count(0) for cut in result['cuts'])
    assert (tmp_path / 'd.png').stat().st_size > 1000
    assert 'AUROC' in capsys.readouterr().out


def test_mistakes_are_named(weights):
    options = ['--weights', str(weights), '--dataset', 'synthetic']
    with pytest.raises(ValueError, match='success-iou: 2.0'):
        parse(DiagnoseCommand, [*options, '--success-iou', '2']).run()
    with pytest.raises(ValueError, match='ahead: 0 is below 1'):
        forecast_ratios(None, 0)
