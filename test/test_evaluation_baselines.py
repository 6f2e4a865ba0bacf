"""Runs over clips, and the baselines that carry boxes."""

from dataclasses import dataclass

from clip_samples import BoxClip, linear
from conftest import make_tiny_network
import cv2
from evaluation_samples import found
import numpy as np
import pytest

from forecast_detector.checkpoint import load_checkpoint, save_checkpoint
from forecast_detector.data.base import Clip
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.run import ClipRun, latency, run_clips
from forecast_detector.policies.boxes import BoxBaseline, HoldBoxes, MovedBoxes
from forecast_detector.policies.flow import FlowBoxes
from forecast_detector.policies.kalman import KalmanBoxes
from forecast_detector.policies.registry import make_runner
from forecast_detector.policies.step import DecodeTimer, Step
from forecast_detector.tracking import KalmanConfig
from forecast_detector.types import Action, Detections, Frame

# Nothing is uncertain but the first velocity: two READs tell everything.
EXACT = KalmanConfig(measurement=0.0, acceleration=(0.0, 0.0))
BLANK = Frame.from_array(np.zeros((20, 30, 3), np.uint8), 0)


@dataclass
class Seer:
    """Reads every frame it is given and detects exactly what is there."""

    clip: Clip = None

    def start(self, clip):
        self.clip = clip

    def step(self, frame):
        frame.load()
        truth = self.clip.truth(round(frame.stamp_ns * self.clip.fps / 1e9))
        rows = [(*box, 0.9, label) for box, label in zip(truth.boxes, truth.labels)]
        return Step(found(*rows), Action.READ, 5.0)


def run(clip, carrier, read_every):
    return run_clips(BoxBaseline(Seer(), carrier, read_every), [clip])[0].steps


def test_every_kth_frame_is_read_and_the_others_are_not_decoded():
    clip = BoxClip('a', linear(7))
    steps = run(clip, HoldBoxes(), 3)
    assert [step.action for step in steps] == [Action(int(i % 3 > 0)) for i in range(7)]
    assert clip.decoded == [0, 3, 6]


@pytest.mark.parametrize('carrier', [HoldBoxes, lambda: KalmanBoxes(EXACT)])
def test_a_look_ahead_is_the_answer_that_skipping_the_next_frame_would_give(carrier):
    clip = BoxClip('a', linear(9))
    runner = BoxBaseline(Seer(), carrier(), 3, anticipates=True)
    steps = run_clips(runner, [clip])[0].steps
    plain = run(clip, carrier(), 3)
    for now, after, alone in zip(steps, steps[1:], plain[1:]):
        # Looking ahead changes nothing that comes after.
        assert after.detections.boxes.tolist() == alone.detections.boxes.tolist()
        if after.action is Action.FORECAST:
            assert now.anticipated.boxes.tolist() == after.detections.boxes.tolist()
    assert plain[0].anticipated is None


def test_hold_repeats_the_last_read():
    boxes = linear(6)
    steps = run(BoxClip('a', boxes), HoldBoxes(), 3)
    for index, step in enumerate(steps):
        assert step.detections.boxes.tolist() == [list(boxes[index - index % 3])]


def test_each_clip_begins_with_a_read_and_without_the_boxes_of_the_last():
    clips = [BoxClip('a', linear(3)), BoxClip('b', [None] * 3)]
    runs = run_clips(BoxBaseline(Seer(), HoldBoxes(), 2), clips)
    assert [step.action for step in runs[1].steps] == [Action.READ, Action.FORECAST, Action.READ]
    assert all(len(step.detections) == 0 for step in runs[1].steps)


@pytest.mark.parametrize('read_every', [2, 3, 5])
def test_kalman_follows_even_motion_exactly_once_it_has_seen_two_reads(read_every):
    boxes = linear(4 * read_every)
    steps = run(BoxClip('a', boxes), KalmanBoxes(EXACT), read_every)
    for index in range(read_every + 1, len(boxes)):
        assert steps[index].detections.boxes[0] == pytest.approx(boxes[index], abs=1e-3)


def test_kalman_holds_until_it_knows_a_velocity_and_reads_as_detected():
    boxes = linear(4)
    steps = run(BoxClip('a', boxes), KalmanBoxes(), 2)
    assert steps[1].detections.boxes.tolist() == [list(boxes[0])]
    assert steps[2].detections.boxes.tolist() == [list(boxes[2])]


def test_default_noise_comes_near_even_motion_within_a_few_reads():
    boxes = linear(12)
    steps = run(BoxClip('a', boxes), KalmanBoxes(), 2)
    assert steps[11].detections.boxes[0] == pytest.approx(boxes[11], abs=0.5)


def test_kalman_takes_no_noise_for_motion():
    # A box that rests, detected 2 pixels to the left and right by turns, at last to the left by 2:
    # the last difference would carry it 4 further.
    carrier = KalmanBoxes()
    for turn in range(40):
        shift = 2 * (-1) ** turn
        carrier.read(found((100 + shift, 100, 140 + shift, 140, 0.9, 0)), BLANK)
    carried = carrier.skip(None).boxes[0]
    assert carried == pytest.approx([98, 100, 138, 140], abs=0.5)


def test_tracks_keep_to_their_class_and_their_neighbour():
    carrier = KalmanBoxes(EXACT)
    for t in range(3):
        carrier.read(found(
            (10 + 4 * t, 10, 40 + 4 * t, 40, 0.9, 0), (10, 10 + 4 * t, 40, 40 + 4 * t, 0.8, 1),
            (100 - 4 * t, 10, 130 - 4 * t, 40, 0.7, 0),
        ), BLANK)
    assert carrier.skip(None).boxes[:, :2] == pytest.approx(
        np.array([[22, 10], [10, 22], [88, 10]]), abs=1e-3
    )


def test_a_track_outlives_missed_reads_up_to_its_limit():
    for missed, expected in ((3, 10 + 4 * (4 + 3) + 4), (4, 10 + 4 * (4 + 4))):
        carrier = KalmanBoxes(EXACT)
        times = [0, 1, 2, 3, 4 + missed]
        for t in range(times[-1] + 1):
            box = (10 + 4 * t, 10, 50 + 4 * t, 50, 0.9, 0)
            carrier.read(found(box) if t in times else Detections(), BLANK)
        moved = carrier.skip(None).boxes[0, 0]
        assert moved == pytest.approx(expected, abs=1e-3)


def test_boxes_that_leave_the_image_are_cut_and_then_gone():
    # Image 300 wide; the box moves right by 20 a frame and is last read at 260.
    boxes = [(220, 0, 260, 40), (240, 0, 280, 40), (260, 0, 300, 40)] + [None] * 3
    clip = BoxClip('a', boxes)
    runner = BoxBaseline(Seer(), KalmanBoxes(EXACT), 2)
    steps = run_clips(runner, [clip])[0].steps
    assert steps[3].detections.boxes[0] == pytest.approx([280, 0, 300, 40], abs=1e-3)
    assert len(steps[5].detections) == 0


def test_scores_decay_if_asked_for():
    carrier = KalmanBoxes(KalmanConfig(score_decay=0.5))
    carrier.read(found((0, 0, 10, 10, 0.8, 0)), BLANK)
    assert [float(carrier.skip(None).scores[0]) for _ in range(2)] == pytest.approx([0.4, 0.2])


def test_read_every_below_one_is_refused():
    with pytest.raises(ValueError, match='read_every: 0 is below 1'):
        BoxBaseline(Seer(), HoldBoxes(), 0)


def test_ms_per_frame_weighs_the_medians_by_their_shares():
    def step(action, ms):
        return Step(Detections(), action, ms)
    steps = [step(Action.READ, ms) for ms in (10, 12, 100)] + [step(Action.FORECAST, 2)]
    timed = latency([ClipRun('a', steps)])
    assert timed.read_share == 0.75
    assert timed.ms_per_frame == pytest.approx(0.75 * 12 + 0.25 * 2)
    only = latency([ClipRun('a', steps[:3])])
    assert (only.ms_per_frame, only.forecast_ms) == (12, None)
    with pytest.raises(ValueError, match='no frames'):
        latency([])


def test_decoding_is_timed_apart_and_tells_the_size():
    timer = DecodeTimer(Frame(0, lambda: np.zeros((2, 3, 3), np.uint8)))
    assert (timer.ms, timer.size) == (0.0, None)
    timer.frame.load()
    assert timer.ms > 0
    assert timer.size == (3, 2)


class PannedClip(BoxClip):
    """A clip of boxes that keep their place on the ground below a camera that moves evenly."""

    def __init__(self, length, velocity):
        super().__init__('panned', linear(length, (120, 80), velocity))
        noise = np.random.default_rng(0).integers(0, 256, (25, 32, 3), np.uint8)
        self.ground = cv2.resize(noise, None, fx=16, fy=16, interpolation=cv2.INTER_CUBIC)
        self.velocity = velocity

    def read(self, index):
        x, y = (100 - index * step for step in self.velocity)
        return self.ground[y:y + 200, x:x + 300]


# The errors of a whole pan add up: one shift of a picture of 80 pixels each frame.
@pytest.mark.parametrize('carrier, apart', [(MovedBoxes, 3), (FlowBoxes, 2.5)])
@pytest.mark.parametrize('velocity', [(0, 0), (6, -4), (-9, 5)])
def test_boxes_move_along_with_the_picture(carrier, apart, velocity):
    clip = PannedClip(8, velocity)
    for index, step in enumerate(run(clip, carrier(), 8)):
        assert step.detections.boxes[0] == pytest.approx(clip.boxes[index], abs=apart)


@pytest.mark.parametrize('kind', [MovedBoxes, FlowBoxes])
def test_boxes_that_move_go_on_as_they_did_where_no_frame_has_come(kind):
    clip = PannedClip(3, (6, -4))
    carrier = kind()
    carrier.read(found((*clip.boxes[0], 0.9, 0)), clip.frame(0))
    carrier.skip(clip.frame(1))
    assert carrier.skip(None).boxes[0] == pytest.approx(clip.boxes[2], abs=1.5)


@pytest.mark.parametrize('policy', ['alternate', 'copy'])
def test_weights_that_make_no_forecasts_are_not_asked_for_them(tmp_path, policy):
    save_checkpoint(tmp_path / 'w.safetensors', make_tiny_network(combination='recurrent'))
    detector = StreamingDetector(load_checkpoint(tmp_path / 'w.safetensors'), device='cpu')
    with pytest.raises(ValueError, match=f"policy '{policy}': these weights make no forecasts"):
        make_runner(policy, detector)
    assert make_runner('kalman', detector)
