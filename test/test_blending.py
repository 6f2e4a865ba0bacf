"""Forecasts blended with the boxes of the last READ, carried along with the picture."""

from dataclasses import replace

from clip_samples import SquareClip
import numpy as np
import pytest
from stream_samples import EVERYTHING, step_one
from yolox_samples import make_yolox

from forecast_detector.blending import blended, WEAKEST
from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.engine import StreamingDetector
from forecast_detector.kept import Kept, SHOWN, SmallPicture
from forecast_detector.types import Action, Detections, Policy

BLACK = np.zeros((50, 100), np.uint8)
PICTURE = SmallPicture(BLACK, BLACK, np.full(2, 2, np.float32))
STILL = np.zeros((50, 100, 2), np.float32)
EVERY_THIRD = EVERYTHING.replace(policy=Policy.ALTERNATE, read_every=3)


def found(*rows):
    """Make detections of (x1, y1, x2, y2, score, label) each."""
    columns = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(columns[:, :4], columns[:, 4], columns[:, 5].astype(np.int64))


def doubted(score, doubt):
    """Take from what is above the shown score."""
    return SHOWN + (score - SHOWN) * np.exp(-doubt)


def kept(*rows, doubt=0.0):
    """Boxes of a READ one frame ago; nothing moved."""
    carried = Kept().read(found(*rows), PICTURE).moved(PICTURE, STILL)
    return replace(carried, doubt=carried.doubt + np.float32(doubt))


def test_a_faded_score_is_kept_up_and_falls_with_doubt():
    box, forecast = (10, 10, 50, 50, 0.8, 0), found((12, 10, 52, 50, 0.2, 0))
    sure = blended(kept(box), forecast)
    assert sure.scores[0] == pytest.approx(0.8)
    np.testing.assert_allclose(sure.boxes, [[11, 10, 51, 50]])
    doubtful = blended(kept(box, doubt=0.4), forecast)
    assert doubtful.scores[0] == pytest.approx(doubted(0.8, 0.4))
    np.testing.assert_allclose(doubtful.boxes, sure.boxes)


def test_a_surer_forecast_keeps_its_score():
    box, forecast = (10, 10, 50, 50, 0.5, 0), found((10, 10, 50, 50, 0.9, 0))
    assert blended(kept(box), forecast).scores[0] == pytest.approx(0.9)
    doubtful = blended(kept(box, doubt=0.4), forecast)
    assert doubtful.scores[0] == pytest.approx(doubted(0.9, 0.4))


@pytest.mark.parametrize('rows', [
    [], [(10, 10, 50, 50, 0.8, 1)], [(60, 10, 90, 50, 0.8, 0)],
], ids=['none', 'another class', 'elsewhere'])
def test_what_is_not_of_the_same_object_changes_nothing(rows):
    forecast = found((10, 10, 50, 50, 0.4, 0))
    same = blended(kept(*rows, doubt=1.0), forecast)
    np.testing.assert_array_equal(same.boxes, forecast.boxes)
    np.testing.assert_array_equal(same.scores, forecast.scores)


def test_weak_forecasts_are_not_blended():
    weak = found((10, 10, 50, 50, WEAKEST / 2, 0))
    assert blended(kept((10, 10, 50, 50, 0.8, 0)), weak).scores[0] == weak.scores[0]


def test_a_carried_box_makes_no_object_and_serves_one_alone():
    carried = kept((10, 10, 50, 50, 0.9, 0))
    assert not len(blended(carried, found()))
    pair = blended(carried, found((10, 10, 50, 50, 0.3, 0), (14, 10, 54, 50, 0.2, 0)))
    np.testing.assert_allclose(pair.scores, [0.9, 0.2])


def test_the_strongest_come_first():
    forecast = found((60, 60, 90, 90, 0.5, 0), (10, 10, 50, 50, 0.1, 0))
    both = blended(kept((10, 10, 50, 50, 0.9, 0)), forecast)
    assert both.scores.tolist() == sorted(both.scores, reverse=True)
    assert both.boxes[0].tolist() == [10, 10, 50, 50]
    assert forecast.scores.tolist() == pytest.approx([0.5, 0.1])  # the given ones are as before


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


def test_it_can_be_switched_while_a_stream_goes_on(detector):
    clip, blends = SquareClip(9), [True, False, True, True, False, False, True, True, True]
    detector.forget('camera')
    for index, blend in enumerate(blends):
        detector.config = EVERY_THIRD.replace(blend=blend)
        result = step_one(detector, clip.frame(index))
        assert result.decision.action is (Action.FORECAST if index % 3 else Action.READ)
