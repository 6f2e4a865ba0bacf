"""Properties of the streaming engine: gating, resets, batching, failures."""

import math

import numpy as np
import pytest
from stream_samples import actions, clip, EVERYTHING, FRAME_NS, noise, step_one

from forecast_detector.config import StreamConfig
from forecast_detector.engine import StreamingDetector
from forecast_detector.engine.rules import choose, SinceRead
from forecast_detector.types import (
    Action,
    BadFrameError,
    Frame,
    Policy,
    Reason,
    StepFailure,
    StepResult,
)


def forbidden():
    raise AssertionError('the image of a forecast was decoded')


@pytest.fixture
def detector(tiny_checkpoint):
    return StreamingDetector(tiny_checkpoint, EVERYTHING, 'cpu')


def test_the_first_frame_is_read(detector):
    result = step_one(detector, clip(1)[0])
    decision = result.decision
    assert (decision.action, decision.reason) == (Action.READ, Reason.FIRST_FRAME)
    assert math.isnan(decision.confidence)
    assert decision.frames_since_read == 0
    assert result.stamp_ns == decision.last_read_stamp_ns == 0


def test_p_1_always_reads_and_p_0_reads_once(detector):
    detector.config = EVERYTHING.replace(p=1.0)
    assert actions(step_one(detector, f) for f in clip(5)) == [Action.READ] * 5
    detector.forget('camera')
    detector.config = EVERYTHING.replace(p=0.0)
    results = [step_one(detector, f) for f in clip(5)]
    assert actions(results) == [Action.READ] + [Action.FORECAST] * 4
    assert [r.decision.frames_since_read for r in results] == [0, 1, 2, 3, 4]
    assert {r.decision.last_read_stamp_ns for r in results} == {0}


def test_a_forecast_never_decodes_its_image(detector):
    detector.config = EVERYTHING.replace(p=0.0)
    step_one(detector, clip(1)[0])
    result = step_one(detector, Frame(FRAME_NS, forbidden, (96, 64)))
    assert result.decision.action is Action.FORECAST


def median_confidence(checkpoint, frames):
    """Find a p at which a stream has both READs and FORECASTs."""
    pilot = StreamingDetector(checkpoint, EVERYTHING.replace(p=1.0), 'cpu')
    confidences = [step_one(pilot, frame).decision.confidence for frame in frames]
    return float(np.median(confidences[1:]))


def test_a_frame_is_decided_by_the_confidence_before_it_and_the_p_in_force(
    tiny_checkpoint, detector
):
    frames = clip(40)
    p = median_confidence(tiny_checkpoint, frames)
    detector.config = EVERYTHING.replace(p=p)
    decisions = [step_one(detector, f).decision for f in frames]
    for decision in decisions[1:]:
        assert decision.threshold == p
        forecast = decision.confidence > p
        assert decision.action is (Action.FORECAST if forecast else Action.READ)
        assert decision.reason is Reason.SCHEDULER
    assert len({d.action for d in decisions[1:]}) == 2


def test_a_new_p_is_in_force_with_the_next_frame(detector):
    frames = clip(4)
    detector.config = EVERYTHING.replace(p=1.0)
    first = [step_one(detector, f) for f in frames[:2]]
    detector.config = EVERYTHING.replace(p=0.0)
    second = [step_one(detector, f) for f in frames[2:]]
    assert actions(first + second) == [Action.READ] * 2 + [Action.FORECAST] * 2
    assert [r.decision.threshold for r in first + second] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ('confidence', 'since', 'changes', 'expected'),
    [
        (0.6, 0, {'p': 0.5}, (Action.FORECAST, Reason.SCHEDULER)),
        (0.5, 0, {'p': 0.5}, (Action.READ, Reason.SCHEDULER)),
        (1.0, 0, {'p': 1.0}, (Action.READ, Reason.SCHEDULER)),
        (0.9, 3, {'p': 0.5, 'max_consecutive_forecasts': 3}, (Action.READ, Reason.LIMIT)),
        (0.9, 2, {'p': 0.5, 'max_consecutive_forecasts': 3}, (Action.FORECAST, Reason.SCHEDULER)),
        (0.1, 3, {'p': 0.5, 'max_consecutive_forecasts': 3}, (Action.READ, Reason.SCHEDULER)),
        (0.9, 0, {'policy': Policy.READ}, (Action.READ, Reason.POLICY)),
        (0.0, 0, {'policy': Policy.ALTERNATE}, (Action.FORECAST, Reason.POLICY)),
        (0.9, 1, {'policy': Policy.ALTERNATE}, (Action.READ, Reason.POLICY)),
        (0.9, 1, {'policy': Policy.ALTERNATE, 'read_every': 3}, (Action.FORECAST, Reason.POLICY)),
    ],
)
def test_the_rule_of_decision(confidence, since, changes, expected):
    run = SinceRead(clip(1)[0], (96, 64), 1.0, since, 0)
    assert choose(run, confidence, StreamConfig(**changes))[:2] == expected


def test_confidence_accumulates_until_a_read(tiny_checkpoint):
    frames = clip(5)
    given = {}
    for accumulate in (True, False):
        config = EVERYTHING.replace(p=0.0, accumulate=accumulate)
        detector = StreamingDetector(tiny_checkpoint, config, 'cpu')
        given[accumulate] = [step_one(detector, f).decision.confidence for f in frames][1:]
    assert given[True] == pytest.approx(np.cumprod(given[False]))
    # A p that the second forecast alone would pass, but not both together.
    config = EVERYTHING.replace(p=float(np.sqrt(given[True][0] * given[True][1])))
    detector = StreamingDetector(tiny_checkpoint, config, 'cpu')
    decisions = [step_one(detector, frame).decision for frame in frames[:4]]
    assert [d.action.name for d in decisions[:3]] == ['READ', 'FORECAST', 'READ']
    # After the READ the product starts anew: it lies near the first forecast's again.
    assert decisions[3].confidence > decisions[2].confidence


def test_the_limit_forces_a_read(detector):
    detector.config = EVERYTHING.replace(p=0.0, max_consecutive_forecasts=2)
    results = [step_one(detector, f) for f in clip(7)]
    assert ''.join(a.name[0] for a in actions(results)) == 'RFFRFFR'
    assert results[3].decision.reason is Reason.LIMIT


def test_streams_in_one_batch_equal_streams_one_by_one(tiny_checkpoint):
    clips = {f'camera{k}': clip(25, seed=k) for k in range(3)}
    config = EVERYTHING.replace(p=median_confidence(tiny_checkpoint, clips['camera1']))
    batched = StreamingDetector(tiny_checkpoint, config, 'cpu')
    single = StreamingDetector(tiny_checkpoint, config, 'cpu')
    seen = set()
    for t in range(25):
        together = batched.step({name: frames[t] for name, frames in clips.items()})
        assert list(together) == list(clips)
        for name, frames in clips.items():
            alone, among = step_one(single, frames[t], name), together[name]
            assert among.decision.action is alone.decision.action
            seen.add((name, among.decision.action))
            assert among.detections.scores == pytest.approx(alone.detections.scores, abs=1e-4)
            assert among.detections.boxes == pytest.approx(alone.detections.boxes, abs=1e-4)
            assert (among.detections.labels == alone.detections.labels).all()
    assert {action for _, action in seen} == {Action.READ, Action.FORECAST}


def test_reset_equals_fresh(tiny_checkpoint):
    used = StreamingDetector(tiny_checkpoint, EVERYTHING, 'cpu')
    fresh = StreamingDetector(tiny_checkpoint, EVERYTHING, 'cpu')
    for frame in clip(5, seed=7):
        step_one(used, frame)
    used.reset('camera', 'because')
    for t, frame in enumerate(clip(4)):
        after, new = step_one(used, frame), step_one(fresh, frame)
        if t == 0:
            assert after.decision.reason is Reason.RESET
            assert after.decision.reason_detail == 'because'
        assert after.decision.action is new.decision.action
        assert after.detections.scores == pytest.approx(new.detections.scores, abs=1e-6)


def test_a_reset_outlives_bad_frames(detector):
    def broken():
        raise BadFrameError('truncated')

    step_one(detector, clip(1)[0])
    detector.reset('camera', 'because')
    assert isinstance(step_one(detector, Frame(FRAME_NS, broken)), StepFailure)
    decision = step_one(detector, clip(3)[2]).decision
    assert (decision.reason, decision.reason_detail) == (Reason.RESET, 'because')


def test_reset_of_one_stream_leaves_the_others(detector):
    detector.config = EVERYTHING.replace(p=0.0)
    for frame in clip(2):
        detector.step({'a': frame, 'b': frame})
    detector.reset('a')
    results = detector.step({name: clip(3)[2] for name in 'ab'})
    assert results['a'].decision.reason is Reason.RESET
    assert results['b'].decision.action is Action.FORECAST


@pytest.mark.parametrize(
    ('next_frame', 'detail'),
    [
        (Frame(0, lambda: noise(1), (96, 64)), 'stamp went back 1.000 s'),
        (Frame(60 * 10**9, lambda: noise(1), (96, 64)), 'no frame for 59.000 s'),
        (Frame(11 * 10**8, lambda: noise(1, (32, 32)), (32, 32)), 'image size changed'),
        (Frame(11 * 10**8, lambda: noise(1), (96, 64), encoding='mono8'), 'encoding changed'),
        (Frame(11 * 10**8, lambda: noise(1), (96, 64), frame_id='b'), 'frame_id changed'),
    ],
)
def test_a_break_in_the_stream_resets_it_and_says_why(detector, next_frame, detail):
    detector.config = EVERYTHING.replace(p=0.0)
    step_one(detector, Frame(10**9, lambda: noise(0), (96, 64)))
    decision = step_one(detector, next_frame).decision
    assert (decision.action, decision.reason) == (Action.READ, Reason.RESET)
    assert detail in decision.reason_detail


def test_a_size_that_only_decoding_shows_resets_too(detector):
    detector.config = EVERYTHING.replace(p=1.0)
    step_one(detector, Frame(0, lambda: noise(0)))
    result = step_one(detector, Frame(FRAME_NS, lambda: noise(1, (33, 77))))
    assert result.decision.reason is Reason.RESET
    assert 'image size changed from (96, 64) to (33, 77)' in result.decision.reason_detail
    assert result.detections.boxes.max() <= 77


def test_a_stamp_that_went_back_can_be_refused(detector):
    detector.config = EVERYTHING.replace(reset_on_time_jump=False)
    step_one(detector, Frame(FRAME_NS, lambda: noise(0), (96, 64)))
    failure = step_one(detector, Frame(0, lambda: noise(0), (96, 64)))
    assert isinstance(failure, StepFailure)
    assert 'reset_on_time_jump' in str(failure.error)


@pytest.mark.parametrize('kind', [BadFrameError, RuntimeError])
@pytest.mark.parametrize(
    'header', [{}, {'stamp_ns': 9 * 10**9}, {'stamp_ns': -5}, {'encoding': 'x'}, {'size': (8, 8)}]
)
def test_a_bad_frame_fails_alone_and_leaves_its_stream_as_it_was(tiny_checkpoint, header, kind):
    def broken():
        raise kind('truncated')

    troubled = StreamingDetector(tiny_checkpoint, EVERYTHING.replace(p=1.0), 'cpu')
    untroubled = StreamingDetector(tiny_checkpoint, EVERYTHING.replace(p=1.0), 'cpu')
    frames = clip(3)
    for detector in (troubled, untroubled):
        step_one(detector, frames[0])
    bad = Frame(**{'stamp_ns': FRAME_NS, 'load': broken, 'size': (96, 64), **header})
    results = troubled.step({'camera': bad, 'other': frames[1]})
    assert isinstance(results['camera'], StepFailure)
    assert isinstance(results['other'], StepResult)
    after, expected = step_one(troubled, frames[2]), step_one(untroubled, frames[2])
    assert after.decision.reason is Reason.SCHEDULER
    assert after.decision.confidence == expected.decision.confidence
    assert after.detections.scores == pytest.approx(expected.detections.scores, abs=1e-6)


@pytest.mark.parametrize(
    'image',
    [np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3), np.float32)],
)
def test_an_image_of_another_kind_is_refused_with_its_shape(detector, image):
    failure = step_one(detector, Frame(0, lambda: image))
    assert isinstance(failure, StepFailure)
    assert str(image.shape) in str(failure.error)


def test_boxes_are_in_pixels_of_the_image_whatever_its_aspect(detector):
    for stream, size in {'wide': (640, 120), 'tall': (50, 400)}.items():
        result = step_one(detector, Frame(0, lambda s=size: noise(3, s), size), stream)
        boxes = result.detections.boxes
        assert len(boxes) > 0
        assert boxes.min() >= 0
        assert (boxes[:, [0, 2]] <= size[0]).all()
        assert (boxes[:, [1, 3]] <= size[1]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_commit_or_no_commit_of_state_on_forecasts(tiny_checkpoint):
    scores = {}
    for commit in (True, False):
        config = EVERYTHING.replace(p=0.0, commit_on_forecast=commit)
        detector = StreamingDetector(tiny_checkpoint, config, 'cpu')
        scores[commit] = [step_one(detector, f).detections.scores.tolist() for f in clip(3)]
    # A READ and the first FORECAST see the same state; from then on the states differ.
    assert scores[True][:2] == scores[False][:2]
    assert scores[True][2] != scores[False][2]


def test_the_input_size_can_differ_from_the_trained_one(tiny_checkpoint):
    detector = StreamingDetector(tiny_checkpoint, EVERYTHING, 'cpu', input_size=(96, 128))
    assert len(step_one(detector, clip(1)[0]).detections) > 0
    with pytest.raises(ValueError, match='multiples of 32'):
        StreamingDetector(tiny_checkpoint, EVERYTHING, 'cpu', input_size=(100, 100))


def test_the_image_can_be_stretched_instead_of_letterboxed(tiny_checkpoint):
    square = Frame(0, lambda: noise(1, (80, 80)), (80, 80))
    found = {
        resize: step_one(
            StreamingDetector(tiny_checkpoint, EVERYTHING, 'cpu', resize=resize), square
        ).detections
        for resize in ('letterbox', 'stretch', None)
    }
    assert found['letterbox'].scores.tolist() == found[None].scores.tolist()
    assert found['letterbox'].scores.tolist() != found['stretch'].scores.tolist()


def test_a_missing_device_is_named():
    from forecast_detector.device import select_device
    with pytest.raises(ValueError, match='none of'):
        select_device('tpu')
    with pytest.raises(ValueError, match='CUDA devices'):
        select_device('cuda:99')
    assert select_device('cpu')[0].type == 'cpu'
