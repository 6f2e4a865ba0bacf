"""Boxes carried by dense motion between READs, as the streaming engine does it."""

from dataclasses import replace
import math

from clip_samples import SquareClip
import numpy as np
import pytest
from stream_samples import actions, clip, EVERYTHING, FRAME_NS, noise, step_one
from yolox_samples import make_yolox, MovingNoise

from forecast_detector.carrying import within
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.rollout import run_settings, Setting
from forecast_detector.evaluation.run import run_clips
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.evaluation.sweep import carry, Sweeper
from forecast_detector.policies.boxes import BoxBaseline
from forecast_detector.policies.detector import DetectorRunner, evaluation_config
from forecast_detector.policies.flow import FlowBoxes
from forecast_detector.policies.registry import make_runner
from forecast_detector.types import Action, BadFrameError, Frame, Policy, Reason, StepFailure

FLOW = EVERYTHING.replace(policy=Policy.FLOW, read_every=3)


@pytest.fixture(scope='module')
def yolox_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'yolox.safetensors'
    save_checkpoint(path, make_yolox(labels=('bolt', 'nut'), input_size=(96, 96)), half=False)
    return path


@pytest.fixture(params=['paper', 'peek', 'yolox'])
def detector(request):
    name = {'paper': 'tiny_weights', 'peek': 'weights', 'yolox': 'yolox_weights'}[request.param]
    return StreamingDetector(load_checkpoint(request.getfixturevalue(name)), FLOW, 'cpu')


def watch(detector, monkeypatch):
    """Take down which parts of the network are asked."""
    asked = []
    for name in ('read', 'preview', 'encode', 'correct', 'schedule', 'detect'):
        part = getattr(detector.network, name)
        monkeypatch.setattr(
            detector.network, name, lambda *a, n=name, f=part: (asked.append(n), f(*a))[1])
    return asked


def assert_same(one, other):
    assert one.boxes.shape == other.boxes.shape
    # Batches of READs round differently.
    np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    assert one.labels.tolist() == other.labels.tolist()


def test_between_reads_the_network_rests(detector, monkeypatch):
    frames = SquareClip(7)
    first = step_one(detector, frames.frame(0))
    asked = watch(detector, monkeypatch)
    results = [first, *(step_one(detector, frames.frame(index)) for index in (1, 2))]
    assert asked == []
    memory = detector.memory('camera')
    results += [step_one(detector, frames.frame(index)) for index in range(3, 7)]
    assert {'read', 'encode', 'detect'} <= set(asked) <= {'read', 'preview', 'encode', 'detect'}
    assert asked.count('read') == asked.count('encode') == asked.count('detect') == 2
    assert detector.memory('camera') is not memory
    assert ''.join(action.name[0] for action in actions(results)) == 'RFFRFFR'
    decisions = [result.decision for result in results]
    assert {d.reason for d in decisions[1:]} == {Reason.POLICY}
    assert {d.reason_detail for d in decisions[1:]} == {'policy flow, every 3'}
    assert [d.frames_since_read for d in decisions] == [0, 1, 2, 0, 1, 2, 0]
    assert decisions[5].last_read_stamp_ns == frames.frame(3).stamp_ns
    assert all(math.isnan(d.confidence) for d in decisions)


def test_boxes_of_a_read_go_along_with_the_picture(detector):
    frames = SquareClip(6)
    carrier = FlowBoxes()
    for index in range(6):
        frame, result = frames.frame(index), step_one(detector, frames.frame(index))
        if index % 3 == 0:
            assert len(result.detections) > 5
            carrier.read(result.detections, frame)
            continue
        expected = carrier.skip(frame)
        inside = np.clip(expected.boxes, 0, (300, 200) * 2)
        kept = (inside[:, :2] < inside[:, 2:]).all(axis=1)
        np.testing.assert_array_equal(result.detections.boxes, inside[kept])
        np.testing.assert_array_equal(result.detections.scores, expected.scores[kept])
        np.testing.assert_array_equal(result.detections.labels, expected.labels[kept])


def dividing_p(detector, frames):
    """Find a p at which one forecast is trusted, and hardly two."""
    pilot = detector.variant()
    pilot.config = evaluation_config(Policy.SCHEDULER, 1.0)
    confidences = [
        step_one(pilot, frames.frame(index)).decision.confidence for index in range(len(frames))]
    return 0.999 * min(confidences[1:])


@pytest.mark.parametrize('policy', [Policy.SCHEDULED_FLOW, Policy.FLOW])
def test_evaluation_and_sweeps_give_what_the_engine_gives(detector, policy):
    """Live, through evaluate's runner, by the baseline's own way, and from stored pictures."""
    clips = [SquareClip(7), SquareClip(5, velocity=(-3, 5))]
    p = dividing_p(detector, clips[0])
    config = evaluation_config(policy, p, read_every=3)
    live = []
    for clip_ in clips:
        detector.forget('camera')
        detector.config = config
        live.append([step_one(detector, clip_.frame(index)) for index in range(len(clip_))])
    store = FeatureStore(detector, clips)
    if policy is Policy.FLOW:
        shown = run_settings(store, [Setting(evaluation_config(Policy.READ), every=3)])[0]
        baseline = BoxBaseline(
            DetectorRunner(detector.variant(), evaluation_config(Policy.READ)), FlowBoxes(), 3)
    else:
        steered = evaluation_config(Policy.SCHEDULER, p)
        shown = run_settings(store, [Setting(steered)])[0]
        baseline = BoxBaseline(DetectorRunner(detector.variant(), steered), FlowBoxes())
    ways = [
        run_clips(make_runner(policy.value, detector, p, 3), clips),
        run_settings(store, [Setting(config)])[0],
    ]
    if policy is Policy.SCHEDULED_FLOW:
        ways.append(Sweeper(store, detector.labels).at([p], policy)[0])
    if policy is Policy.FLOW or not detector.network.moves:
        # Else the engine takes the motion that the scheduler is asked about.
        ways += [run_clips(baseline, clips), carry(store, policy.value, shown, 3)]
    assert {action for results in live for action in actions(results)} == set(Action)
    for runs in ways:
        for run, results in zip(runs, live, strict=True):
            assert [step.action for step in run.steps] == actions(results)
            for step, result in zip(run.steps, results, strict=True):
                assert_same(step.detections, result.detections)


def test_with_the_scheduler_the_head_alone_rests(detector, monkeypatch):
    frames = SquareClip(6)
    p = dividing_p(detector, frames)
    plain, carried = detector.variant(), detector.variant()
    plain.config = FLOW.replace(policy=Policy.SCHEDULER, p=p)
    carried.config = plain.config.replace(policy=Policy.SCHEDULED_FLOW)
    asked = watch(detector, monkeypatch)
    detected = []
    for index in range(6):
        start = len(asked)
        result = step_one(carried, frames.frame(index))
        detected.append('detect' in asked[start:])
        assert 'encode' in asked[start:] and ('schedule' in asked[start:]) == (index > 0)
        other = step_one(plain, frames.frame(index))
        assert replace(result.decision, inference_ms=0) == replace(other.decision, inference_ms=0)
        assert detected[-1] == (result.decision.action is Action.READ)
    assert set(detected) == {True, False}


@pytest.fixture
def yolox(yolox_weights):
    return StreamingDetector(load_checkpoint(yolox_weights), FLOW, 'cpu')


def test_of_yolox_nothing_but_the_scheduler_works_between_its_reads(yolox, monkeypatch):
    frames, asked = SquareClip(5), []
    yolox.config = FLOW.replace(policy=Policy.SCHEDULED_FLOW, p=0.0)
    step_one(yolox, frames.frame(0))
    read = yolox.memory('camera').features.maps
    for name in ('read', 'settle', 'correct', 'detect'):
        part = getattr(yolox.network, name)
        monkeypatch.setattr(
            yolox.network, name, lambda *a, n=name, f=part: (asked.append(n), f(*a))[1])
    for index in (1, 2, 3):
        assert step_one(yolox, frames.frame(index)).decision.action is Action.FORECAST
    assert asked == 3 * ['correct']
    after = yolox.memory('camera').features
    assert all(one is other for one, other in zip(after.maps, read))
    assert (after.staleness[:, 1] == 3 / 8).all()


def test_the_schedulers_motion_carries_boxes_as_their_own_does(yolox_weights):
    """At an input of 416 the scheduler's pictures are as large as those of boxes."""
    frames, carrier = MovingNoise(length=5, size=(200, 300), shift=(4, 2)), FlowBoxes()
    large = StreamingDetector(
        load_checkpoint(yolox_weights),
        FLOW.replace(policy=Policy.SCHEDULED_FLOW, p=0.0, max_detections=300),
        'cpu', (416, 416), 'corner')
    read = step_one(large, frames.frame(0)).detections
    carrier.read(read, frames.frame(0))

    def assert_near(found, expected):
        # Of boxes at the border the scheduler's keep what lies outside.
        whole = ((found.boxes > 25) & (found.boxes < (290, 190, 290, 190))).all(axis=1)
        apart = np.abs(found.boxes[whole][:, None] - expected.boxes).max(axis=2)
        assert whole.sum() > 5 and (apart.min(axis=1) < 2).all()

    for index in (1, 2, 3, 4):
        found = step_one(large, frames.frame(index)).detections
        assert_near(found, within(carrier.skip(frames.frame(index)), (300, 200)))
    ahead = large.anticipate('camera')
    assert_near(ahead, within(carrier.skip(None), (300, 200)))
    assert np.median(ahead.boxes[:50] - found.boxes[:50], axis=0) == pytest.approx(
        (4, 2, 4, 2), abs=1)


def test_the_look_ahead_carries_boxes_on_and_changes_nothing(detector):
    frames = SquareClip(6)
    carrier = FlowBoxes()
    runner = BoxBaseline(
        DetectorRunner(detector.variant(), FLOW.replace(policy=Policy.READ)), carrier, 3, True)
    runner.start(frames)
    for index in range(6):
        expected = runner.step(frames.frame(index))
        result = step_one(detector, frames.frame(index))
        assert_same(result.detections, expected.detections)
        assert_same(detector.anticipate('camera'), expected.anticipated)


def test_streams_of_other_policies_in_a_batch_change_nothing(detector):
    clips = {
        policy.value: SquareClip(6, velocity=(7 - 4 * at, at), start=(60 + at, 50))
        for at, policy in enumerate(Policy)}
    p = dividing_p(detector, clips['scheduler'])
    configs = {name: FLOW.replace(policy=Policy(name), p=p) for name in clips}
    alone, together = detector.variant(), detector.variant()
    for index in range(6):
        frames = {name: clip_.frame(index) for name, clip_ in clips.items()}
        results = together.step(frames, configs)
        assert list(results) == list(clips)
        for name, frame in frames.items():
            one = alone.step({name: frame}, {name: configs[name]})[name]
            assert results[name].decision.action is one.decision.action
            if len(one.detections) < EVERYTHING.max_detections or configs[name].policy.carries:
                assert_same(results[name].detections, one.detections)


@pytest.mark.parametrize('policy', ['flow', 'scheduled_flow'])
@pytest.mark.parametrize('known', [True, False])
def test_another_size_of_image_resets(detector, policy, known):
    detector.config = FLOW.replace(policy=Policy(policy), p=0.0)
    step_one(detector, clip(1)[0])
    small = Frame(FRAME_NS, lambda: noise(1, (40, 50)), (40, 50) if known else None)
    result = step_one(detector, small)
    assert (result.decision.action, result.decision.reason) == (Action.READ, Reason.RESET)
    assert 'image size changed from (96, 64) to (40, 50)' in result.decision.reason_detail
    assert (result.detections.boxes <= (40, 50, 40, 50)).all()


@pytest.mark.parametrize('policy', ['flow', 'scheduled_flow'])
def test_after_a_reset_boxes_are_carried_as_by_a_fresh_detector(detector, policy):
    frames = SquareClip(6)
    used, fresh = detector.variant(), detector.variant()
    for one in (used, fresh):
        one.config = FLOW.replace(policy=Policy(policy), p=0.0)
    for index in range(3):
        step_one(used, frames.frame(index))
    used.reset('camera')
    for index in (3, 4, 5):
        after, new = (step_one(one, frames.frame(index)) for one in (used, fresh))
        assert after.decision.action is new.decision.action
        assert (after.decision.reason is Reason.RESET) == (index == 3)
        assert_same(after.detections, new.detections)
        # After one frame there is no motion yet to go on with.
        assert_same(used.anticipate('camera'), fresh.anticipate('camera'))


def test_a_score_threshold_that_is_raised_holds_for_carried_boxes(detector):
    frames = SquareClip(4)
    read = step_one(detector, frames.frame(0)).detections
    every = step_one(detector, frames.frame(1)).detections
    # By the scores of the READ: doubt hides nothing that it showed.
    threshold = float(read.scores.min()) + 1e-6
    detector.config = FLOW.replace(score_threshold=threshold)
    some = step_one(detector, frames.frame(2)).detections
    assert len(some) < len(every) and (some.scores >= threshold).all()


@pytest.mark.parametrize('policy', ['flow', 'scheduled_flow'])
def test_a_bad_frame_leaves_boxes_and_network_as_they_were(detector, policy):
    def broken():
        raise BadFrameError('truncated')

    frames = SquareClip(5)
    troubled, untroubled = detector.variant(), detector.variant()
    for one in (troubled, untroubled):
        one.config = FLOW.replace(policy=Policy(policy), p=0.0)
        step_one(one, frames.frame(0))
    bad = replace(frames.frame(1), load=broken)
    results = troubled.step({'camera': bad, 'other': frames.frame(1)})
    assert isinstance(results['camera'], StepFailure)
    assert results['other'].decision.action is Action.READ
    for index in (2, 3, 4):
        after, expected = (step_one(one, frames.frame(index)) for one in (troubled, untroubled))
        assert after.decision.action is expected.decision.action
        assert_same(after.detections, expected.detections)


@pytest.mark.parametrize(('was', 'now', 'resets'), [
    ('scheduler', 'flow', True), ('flow', 'scheduler', True), ('flow', 'scheduled_flow', True),
    ('scheduled_flow', 'alternate', True), ('read', 'scheduled_flow', True),
    ('scheduler', 'alternate', False), ('flow', 'flow', False),
])
def test_a_stream_starts_anew_where_boxes_begin_or_cease_to_be_carried(
    detector, was, now, resets
):
    frames = SquareClip(3)
    detector.config = FLOW.replace(policy=Policy(was), p=0.0)
    for index in range(2):
        step_one(detector, frames.frame(index))
    detector.config = detector.config.replace(policy=Policy(now))
    decision = step_one(detector, frames.frame(2)).decision
    assert (decision.reason is Reason.RESET) == resets
    if resets:
        assert decision.action is Action.READ
        assert decision.reason_detail == f'policy changed from {was!r} to {now!r}'


def test_the_limit_of_forecasts_holds_where_the_scheduler_decides(detector):
    limited = FLOW.replace(policy=Policy.SCHEDULED_FLOW, p=0.0, max_consecutive_forecasts=1)
    detector.config = limited
    results = [step_one(detector, frame) for frame in clip(4)]
    assert ''.join(action.name[0] for action in actions(results)) == 'RFRF'
    assert results[2].decision.reason is Reason.LIMIT
    detector.config = limited.replace(policy=Policy.FLOW)
    detector.forget('camera')
    assert ''.join(a.name[0] for a in actions(step_one(detector, f) for f in clip(4))) == 'RFFR'


@pytest.mark.parametrize('p', [0.0, 0.45])
def test_auto_is_what_suits_the_weights(detector, p):
    """Boxes are carried where the forecast is motion; a change to that policy resets nothing."""
    suited = Policy.SCHEDULED_FLOW if detector.network.moves else Policy.SCHEDULER
    frames, config = SquareClip(7), EVERYTHING.replace(p=p)
    answers = {}
    for policy in (Policy.AUTO, suited):
        detector.forget('camera')
        detector.config = config.replace(policy=policy)
        answers[policy] = [step_one(detector, frames.frame(index)) for index in range(6)]
    for one, other in zip(*answers.values(), strict=True):
        assert one.decision.reason is other.decision.reason
        assert_same(one.detections, other.detections)
    detector.config = config.replace(policy=Policy.AUTO)
    assert step_one(detector, frames.frame(6)).decision.reason is not Reason.RESET
    assert detector.config.suited(detector.network.moves).policy is suited
