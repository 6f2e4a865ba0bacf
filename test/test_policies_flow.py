"""Boxes carried by dense motion, over pictures whose motion is known."""

from clip_samples import SquareClip, texture
from evaluation_samples import found
import numpy as np
import pytest

from forecast_detector.boxes import iou
from forecast_detector.checkpoint import load_checkpoint
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.rollout import run_settings, Setting
from forecast_detector.evaluation.run import run_clips
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.evaluation.sweep import carry
from forecast_detector.kept import SHOWN
from forecast_detector.policies.detector import evaluation_config
from forecast_detector.policies.flow import FlowBoxes
from forecast_detector.policies.registry import make_runner
from forecast_detector.types import Frame, Policy


def detected(clip, index=0):
    return found((*clip.boxes[index], 0.7, 1))


def carried(clip, detections=None):
    """Read the first frame; give the answer to every other."""
    carrier = FlowBoxes()
    carrier.read(detections or detected(clip), clip.frame(0))
    return [carrier.skip(clip.frame(index)) for index in range(1, len(clip))]


def overlap(answer, box, row=0):
    return iou(answer.boxes[row:row + 1], np.array([box], np.float32))[0, 0]


def test_a_box_follows_what_it_shows_keeps_its_class_and_is_doubted():
    clip = SquareClip()
    assert overlap(detected(clip), clip.boxes[-1]) < 0.4
    for box, answer in zip(clip.boxes[1:], carried(clip)):
        assert overlap(answer, box) > 0.8
        assert SHOWN < answer.scores[0] <= np.float32(0.7) and answer.labels.tolist() == [1]


@pytest.mark.parametrize('growth', [1.06, 1 / 1.06])
def test_a_box_grows_and_shrinks_with_what_it_shows(growth):
    clip = SquareClip(growth=growth, start=(50, 20), velocity=(0, 0), size=110)
    sides = [110, *(answer.boxes[0, 2] - answer.boxes[0, 0] for answer in carried(clip))]
    steps = np.diff(sides)
    assert (steps > 0).all() if growth > 1 else (steps < 0).all()
    assert overlap(carried(clip)[-1], clip.boxes[-1]) > overlap(
        detected(clip), clip.boxes[-1]) + 0.1


def test_boxes_go_their_own_ways():
    clip = SquareClip()
    still = (220, 120, 280, 180)
    answer = carried(clip, found((*clip.boxes[0], 0.9, 0), (*still, 0.8, 1)))[-1]
    moved, stood = answer.labels.tolist().index(0), answer.labels.tolist().index(1)
    assert overlap(answer, clip.boxes[-1], moved) > 0.8
    assert overlap(answer, still, stood) > 0.9
    # What stands still is explained; what moves over the ground is so but for its borders.
    assert answer.scores[stood] == np.float32(0.8) > answer.scores[moved] > SHOWN


def test_a_box_that_leaves_the_picture_is_dropped_alone():
    """The camera turns to the right: the box at the left is out of view, for good."""
    ground = texture(3, 200, 480)
    frames = [Frame.from_array(np.ascontiguousarray(ground[:, x:x + 300]), x)
              for x in (0, 20, 40, 60, 60, 40, 20, 0)]
    carrier = FlowBoxes()
    carrier.read(found((10, 50, 40, 90, 0.9, 0), (200, 50, 260, 90, 0.8, 1)), frames[0])
    answers = [carrier.skip(frame) for frame in frames[1:]]
    assert [len(answer) for answer in answers] == [2, 2, 1, 1, 1, 1, 1]
    assert overlap(answers[2], (140, 50, 200, 90)) > 0.9
    assert overlap(answers[-1], (200, 50, 260, 90)) > 0.9
    clip = SquareClip()
    carrier = FlowBoxes()
    gone = found((-50, 10, -2, 40, 0.9, 0))
    carrier.read(gone, clip.frame(0))
    assert len(carrier.skip(clip.frame(1))) == 0
    assert len(carrier.skip(clip.frame(2))) == 0


def test_boxes_stay_about_where_they_are_at_a_cut():
    clip = SquareClip()
    carrier = FlowBoxes()
    carrier.read(detected(clip), clip.frame(0))
    after = carrier.skip(Frame.from_array(texture(9), 1)).boxes[0]
    assert np.abs(after - np.array(clip.boxes[0])).max() < 30


def test_boxes_stay_where_the_size_of_the_image_changes():
    clip = SquareClip()
    carrier = FlowBoxes()
    carrier.read(detected(clip), clip.frame(0))
    held = carrier.skip(Frame.from_array(texture(9, 400, 300), 1))
    np.testing.assert_allclose(held.boxes, detected(clip).boxes, rtol=1e-5)


def test_nothing_is_carried_into_a_fresh_start():
    clip = SquareClip()
    carrier = FlowBoxes()
    carrier.read(detected(clip), clip.frame(0))
    carrier.start()
    assert len(carrier.skip(clip.frame(1))) == 0


def test_the_next_frame_is_taken_to_go_on_after_a_read_too():
    clip = SquareClip()
    carrier = FlowBoxes()
    carrier.read(detected(clip), clip.frame(0))
    carrier.read(detected(clip, 1), clip.frame(1))
    assert overlap(carrier.skip(None), clip.boxes[2]) > 0.9


@pytest.mark.parametrize('shape', [(200, 300), (300, 200), (104, 208)])
def test_stored_pictures_carry_boxes_as_images_do(weights, shape):
    """Features read once, images kept as thumbnails: the same boxes as frame by frame."""
    clip = SquareClip(7)
    clip.ground = texture(1, *shape)
    clip.boxes = [tuple(np.minimum(box, (shape[1], shape[0]) * 2)) for box in clip.boxes]
    clips = [clip, SquareClip(5)]
    detector = StreamingDetector(load_checkpoint(weights), device='cpu')
    store = FeatureStore(detector, clips)
    shown = run_settings(store, [Setting(evaluation_config(Policy.READ), every=3)])[0]
    direct = run_clips(make_runner('flow', detector, read_every=3), clips)
    for stored, live in zip(carry(store, 'flow', shown, 3), direct, strict=True):
        for step, other in zip(stored.steps, live.steps, strict=True):
            assert step.action is other.action
            # Batches of READs round differently.
            np.testing.assert_allclose(
                step.detections.boxes, other.detections.boxes, atol=1e-2)
