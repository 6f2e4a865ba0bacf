"""Forecasts blended with the boxes of the last READ, carried along with the picture."""

from clip_samples import SquareClip
import numpy as np
import pytest
from stream_samples import EVERYTHING, step_one
from yolox_samples import make_yolox

from forecast_detector.blending import DOUBT, Kept, SHOWN, WEAKEST
from forecast_detector.carrying import carried_back
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.engine import StreamingDetector
from forecast_detector.types import Action, Detections, Policy

STILL = np.zeros((50, 100, 2), np.float32)
CERTAIN = np.zeros((25, 50), np.float32)  # cells of four pixels of the input
EVERY_THIRD = EVERYTHING.replace(policy=Policy.ALTERNATE, read_every=3)


def found(*rows):
    """Make detections of (x1, y1, x2, y2, score, label) each."""
    columns = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(columns[:, :4], columns[:, 4], columns[:, 5].astype(np.int64))


def doubted(score, unexplained):
    """Take from what is above the shown score."""
    return SHOWN + (score - SHOWN) * np.exp(-unexplained / DOUBT)


def blended(kept, forecast, flow=STILL):
    return Kept.of(kept).moved(flow, 2, CERTAIN).blended(forecast)


def test_a_faded_score_is_kept_up_and_falls_with_doubt():
    kept, forecast = found((10, 10, 50, 50, 0.8, 0)), found((12, 10, 52, 50, 0.2, 0))
    once = blended(kept, forecast)
    assert once.scores[0] == pytest.approx(0.8)
    np.testing.assert_allclose(once.boxes, [[11, 10, 51, 50]])
    doubtful = Kept.of(kept).moved(STILL, 2, CERTAIN + 0.1).blended(forecast)
    assert doubtful.scores[0] == pytest.approx(doubted(0.8, 0.1))
    np.testing.assert_allclose(doubtful.boxes, once.boxes)


def test_a_surer_forecast_keeps_its_score():
    kept, forecast = found((10, 10, 50, 50, 0.5, 0)), found((10, 10, 50, 50, 0.9, 0))
    assert blended(kept, forecast).scores[0] == pytest.approx(0.9)
    doubtful = Kept.of(kept).moved(STILL, 2, CERTAIN + 0.1).blended(forecast)
    assert doubtful.scores[0] == pytest.approx(doubted(0.9, 0.1))


@pytest.mark.parametrize('kept', [
    found(), found((10, 10, 50, 50, 0.8, 1)), found((60, 10, 90, 50, 0.8, 0)),
    found((10, 10, 50, 50, WEAKEST / 2, 0)),
], ids=['none', 'another class', 'elsewhere', 'too weak'])
def test_what_is_not_of_the_same_object_changes_nothing(kept):
    forecast = found((10, 10, 50, 50, 0.4, 0))
    same = blended(kept, forecast)
    np.testing.assert_array_equal(same.boxes, forecast.boxes)
    np.testing.assert_array_equal(same.scores, forecast.scores)


def test_a_carried_box_makes_no_object_and_serves_one_alone():
    kept = found((10, 10, 50, 50, 0.9, 0))
    assert not len(blended(kept, found()))
    pair = blended(kept, found((10, 10, 50, 50, 0.3, 0), (14, 10, 54, 50, 0.2, 0)))
    np.testing.assert_allclose(pair.scores, [0.9, 0.2])


def test_the_strongest_come_first():
    kept = found((10, 10, 50, 50, 0.9, 0))
    forecast = found((60, 60, 90, 90, 0.5, 0), (10, 10, 50, 50, 0.1, 0))
    both = blended(kept, forecast)
    assert both.scores.tolist() == sorted(both.scores, reverse=True)
    assert both.boxes[0].tolist() == [10, 10, 50, 50]
    assert forecast.scores.tolist() == pytest.approx([0.5, 0.1])  # the given ones are as before


@pytest.mark.parametrize('shift', [(0, 0), (6, -4), (-11, 3)])
def test_boxes_go_where_the_picture_goes(shift):
    """What is seen at x was at x + flow before: a shift to the right has a flow to the left."""
    flow = np.broadcast_to(-np.array(shift, np.float32), STILL.shape).copy()
    moved = carried_back(found((60, 30, 120, 70, 0.8, 1)), flow, 2.0)
    expected = np.array([60, 30, 120, 70]) + 2 * np.array(shift * 2)
    np.testing.assert_allclose(moved.boxes[0], expected, atol=1e-4)


def test_motion_is_taken_where_the_box_goes():
    """Only the object moves, by more than its own side: the flow of its old place is still."""
    flow = STILL.copy()
    flow[10:30, 60:80] = (-40, 0)
    flow[10:30, 20:40] = (-40, 0)  # what the background uncovers there came from elsewhere
    moved = carried_back(found((20, 10, 40, 30, 0.8, 1)), flow, 1.0)
    np.testing.assert_allclose(moved.boxes[0], [60, 10, 80, 30], atol=1.0)


def test_a_box_that_leaves_the_picture_is_gone():
    flow = np.broadcast_to(np.array([200.0, 0], np.float32), STILL.shape).copy()
    kept = Kept.of(found((10, 10, 50, 50, 0.9, 0)))
    gone = kept.moved(flow, 1, CERTAIN).moved(flow, 1, CERTAIN)
    assert not len(gone.detections)


@pytest.fixture(params=['yolox', 'peek', 'paper'])
def detector(request, tmp_path, weights, tiny_weights):
    yolox = tmp_path / 'yolox.safetensors'
    save_checkpoint(yolox, make_yolox(labels=('bolt', 'nut'), input_size=(96, 96)), half=False)
    path = {'yolox': yolox, 'peek': weights, 'paper': tiny_weights}[request.param]
    return StreamingDetector(load_checkpoint(path), EVERY_THIRD, 'cpu')


def answers(detector, blend, length=7):
    detector.config = EVERY_THIRD.replace(blend=blend)
    detector.forget('camera')
    clip = SquareClip(length)
    return [step_one(detector, clip.frame(index)) for index in range(length)]


def test_reads_are_as_without_and_forecasts_of_yolox_show_as_much(detector, request):
    moves = request.node.callspec.params['detector'] == 'yolox'
    changed = False
    for plain, other in zip(answers(detector, False), answers(detector, True), strict=True):
        assert plain.decision.action is other.decision.action
        same = (
            plain.detections.scores.shape == other.detections.scores.shape
            and (plain.detections.scores == other.detections.scores).all()
            and (plain.detections.boxes == other.detections.boxes).all())
        changed |= not same
        if plain.decision.action is Action.READ or not moves:
            assert same
        else:
            assert len(other.detections) == len(plain.detections)
            assert len(other.detections.above(SHOWN)) >= len(plain.detections.above(SHOWN))
    assert changed == moves


@pytest.mark.parametrize('detector', ['yolox'], indirect=True)
def test_what_is_expected_of_the_next_frame_is_blended_too(detector):
    expected = {}
    for blend in (False, True):
        answers(detector, blend, length=3)
        expected[blend] = detector.anticipate('camera')
    plain, blended = expected.values()
    assert len(plain) == len(blended) > 0
    assert (blended.boxes != plain.boxes).any() and (blended.scores != plain.scores).any()


def unexplained(value, rows=slice(None), columns=slice(None)):
    some = CERTAIN.copy()
    some[rows, columns] = value
    return some


HERE = (slice(15), slice(15))


def test_what_motion_does_not_explain_takes_its_share_of_the_score():
    """Only under the box itself, and it adds up from frame to frame."""
    one, other = (10, 10, 50, 50, 0.8, 0), (110, 10, 150, 50, 0.6, 1)
    once = Kept.of(found(one, other)).moved(STILL, 2, unexplained(0.1, *HERE))
    assert once.doubted().scores == pytest.approx([doubted(0.8, 0.1), 0.6])
    twice = once.moved(STILL, 2, unexplained(0.05, *HERE))
    assert twice.doubted().scores == pytest.approx([0.6, doubted(0.8, 0.15)])
    assert twice.detections.scores == pytest.approx([0.8, 0.6])


@pytest.mark.parametrize('least', [0.0, 0.01, SHOWN, 0.5])
def test_doubt_hides_nothing_that_a_read_showed(least):
    """A score from the threshold on stays so; one below it falls, and none rises."""
    scores = np.array([0.9, 0.51, 0.5, 0.31, 0.29, 0.02], np.float32)
    rows = [(10, 10 * k, 50, 10 * k + 30, score, 0) for k, score in enumerate(scores)]
    kept = Kept.of(found(*rows), least=0.0).moved(STILL, 2, CERTAIN + 1.0)
    after = kept.doubted(least)
    floor = max(least, SHOWN)
    assert len(after.above(floor)) == (scores >= np.float32(floor)).sum()
    assert after.scores.max() < floor + 0.02 and (after.scores <= np.sort(scores)[::-1]).all()
    for score, box in zip(after.scores, after.boxes):
        assert (score >= np.float32(floor)) == (scores[int(box[1] / 10)] >= np.float32(floor))


def test_doubted_boxes_come_by_falling_score():
    kept = Kept.of(found((10, 10, 50, 50, 0.8, 0), (110, 10, 150, 50, 0.6, 1)))
    after = kept.moved(STILL, 2, unexplained(0.5, *HERE)).doubted()
    assert after.labels.tolist() == [1, 0]
    assert after.scores == pytest.approx([0.6, doubted(0.8, 0.5)])
    np.testing.assert_allclose(after.boxes, [[110, 10, 150, 50], [10, 10, 50, 50]])


def test_doubt_stays_with_its_box_where_others_leave():
    kept = Kept.of(found((2, 10, 20, 50, 0.8, 0), (110, 10, 150, 50, 0.6, 1)))
    gone = np.full((50, 100, 2), (20, 0), np.float32)  # by forty pixels to the left
    once = kept.moved(STILL, 2, unexplained(0.1, columns=slice(25, None)))
    assert once.doubt == pytest.approx([0, 0.1 / DOUBT])
    left = once.moved(gone, 2, CERTAIN)
    gone_on = left.moved(gone, 2, CERTAIN)
    assert gone_on.detections.labels.tolist() == [1]
    assert gone_on.doubt == pytest.approx([0.1 / DOUBT])


def test_boxes_go_on_as_the_picture_last_moved():
    kept = Kept.of(found((10, 10, 50, 50, 0.8, 0)))
    assert kept.ahead(2) is kept
    gone = np.full((50, 100, 2), (-3, -1), np.float32)
    ahead = kept.moved(gone, 2, CERTAIN).ahead(2).detections
    np.testing.assert_allclose(ahead.boxes, [[22, 14, 62, 54]])
    assert ahead.scores[0] == pytest.approx(0.8)


def test_it_can_be_switched_while_a_stream_goes_on(detector):
    clip, blends = SquareClip(9), [True, False, True, True, False, False, True, True, True]
    detector.forget('camera')
    for index, blend in enumerate(blends):
        detector.config = EVERY_THIRD.replace(blend=blend)
        result = step_one(detector, clip.frame(index))
        assert result.decision.action is (Action.FORECAST if index % 3 else Action.READ)
