"""The trace of a run: plain JSON, few and small pictures, forecast errors as defined."""

import base64
import json
import math

import cv2
from evaluation_samples import NoisyClip as Patches
import numpy as np
import pytest
import torch

from forecast_detector.data.base import Clip, Truth
from forecast_detector.engine import StreamingDetector
from forecast_detector.evaluation.forecast_error import show_errors
from forecast_detector.evaluation.run import ClipRun, run_clips
from forecast_detector.evaluation.trace import make_trace
from forecast_detector.policies.detector import DetectorRunner, evaluation_config
from forecast_detector.policies.step import Step
from forecast_detector.records.codec import to_plain
from forecast_detector.records.trace import Trace
from forecast_detector.types import Action, BadFrameError, Detections, Policy, Reason

LABELS = ('cat', 'dog')


class NoisyClip(Clip):
    """Random images that are larger than the pictures of a trace; one object."""

    def __init__(self, name, length, seen=True, broken=(), still=False):
        self.name, self.length, self.seen, self.broken = name, length, seen, broken
        self.still, self.decoded = still, 0

    def __len__(self):
        return self.length

    def read(self, index):
        if index in self.broken:
            raise BadFrameError(f'{self.name}: frame {index} is broken')
        self.decoded += 1
        seed = 0 if self.still else index
        return np.random.default_rng(seed).integers(0, 255, (300, 500, 3), np.uint8)

    def truth(self, index):
        if not self.seen:
            return Truth(annotated=False)
        return Truth(np.array([[10, 10, 110, 110]], np.float32), np.array([1]), np.array([7]))


def found(score, x=10, label=1):
    box = np.array([[x, 10, x + 100, 110]], np.float32)
    return Detections(box, np.array([score], np.float32), np.array([label]))


def step(index, score=0.9, x=10):
    action = Action.READ if index % 3 == 0 else Action.FORECAST
    return Step(found(score, x), action, 2.5, math.nan if index == 0 else 0.25,
                reason=Reason.SCHEDULER if index else Reason.FIRST_FRAME)


def traced(clips, **options):
    runs = [ClipRun(clip.name, [step(i) for i in range(len(clip))]) for clip in clips]
    return make_trace(runs, clips, LABELS, **options)


def of(trace, kind):
    return [picture for picture in trace.pictures if picture.kind == kind]


def test_each_frame_is_a_line_of_plain_values():
    trace = json.loads(json.dumps(to_plain(traced([NoisyClip('a', 4)])), allow_nan=False))
    frames = trace['clips'][0]['frames']
    assert [frame['action'] for frame in frames] == ['READ', 'FORECAST', 'FORECAST', 'READ']
    assert [frame['confidence'] for frame in frames] == [None, 0.25, 0.25, 0.25]
    assert frames[0]['reason'] == 'FIRST_FRAME'
    assert frames[3]['stamp_ns'] == 100_000_000
    assert frames[1]['detections'] == 1 and frames[1]['latency_ms'] == 2.5
    # One object, found with 0.9: 0.1 is missing.
    assert frames[2]['loss'] == pytest.approx(0.1, abs=1e-4)


def test_pictures_do_not_grow_with_the_recording():
    clips = [NoisyClip(str(k), 400) for k in range(12)]
    pictures = traced(clips).pictures
    assert len(pictures) == 32
    assert sum(clip.decoded for clip in clips) == 32
    data = base64.b64decode(pictures[0].jpeg)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[:2] == (230, 384)
    # Noise is the worst that can happen to a JPEG.
    assert max(len(picture.jpeg) for picture in pictures) < 150_000


def test_examples_show_reads_and_forecasts_with_boxes_in_their_pixels():
    shown = of(traced([NoisyClip('a', 60)]), 'timeline')
    assert [picture.action for picture in shown] == ['READ', 'FORECAST'] * 3
    assert [picture.index for picture in shown] == sorted(p.index for p in shown)
    assert (shown[0].age, shown[1].age, shown[1].caption) == (0, 2, '')
    (box,) = shown[0].boxes
    assert box.xyxy == pytest.approx([7.7, 7.7, 84.5, 84.5])
    assert (box.name, box.role) == ('dog', 'detected')


def test_worst_cases_are_the_highest_losses_and_not_one_moment_twice():
    clips = [NoisyClip('a', 60), NoisyClip('b', 60)]
    runs = [ClipRun(c.name, [step(i, x=10 if c.name == 'a' or i != 40 else 300)
                             for i in range(60)]) for c in clips]
    worst = of(make_trace(runs, clips, LABELS), 'worst')
    assert (worst[0].clip, worst[0].index) == ('b', 40)
    assert worst[0].caption == '1 of 1 objects missed, 1 false, loss 1.90'
    assert [box.role for box in worst[0].boxes] == ['missed', 'false']
    assert [box.role for box in worst[1].boxes] == ['true', 'found']
    for clip in 'ab':
        places = sorted(p.index for p in worst if p.clip == clip)
        assert np.diff(places).min() >= 15


def test_without_truth_there_are_no_losses_and_no_worst_cases():
    trace = traced([NoisyClip('a', 9, seen=False)])
    assert {frame.loss for frame in trace.clips[0].frames} == {None}
    assert not of(trace, 'worst') and len(of(trace, 'timeline')) == 6


def test_a_frame_that_cannot_be_decoded_is_not_shown():
    clip = NoisyClip('a', 3, broken={1})
    assert {picture.index for picture in traced([clip]).pictures} == {0, 2}


def test_runs_of_other_clips_are_refused():
    clip = NoisyClip('a', 3)
    with pytest.raises(ValueError, match=r"\('b', 3\)\] against \[\('a', 3\)"):
        make_trace([ClipRun('b', [step(i) for i in range(3)])], [clip], LABELS)
    with pytest.raises(ValueError, match='0 runs and 1 clips'):
        make_trace([], [clip], LABELS)


def test_no_frames_make_an_empty_trace():
    assert make_trace([], [], LABELS) == Trace([], [], [])


@pytest.fixture
def detector(tiny_checkpoint):
    return StreamingDetector(tiny_checkpoint, evaluation_config(Policy.SCHEDULER, 0.4), 'cpu')


def test_forecast_errors_are_distances_to_what_reading_gives(detector):
    clip = NoisyClip('a', 7)
    reader, config = detector.reader, detector.config
    pictures, errors = show_errors(detector, [clip])
    assert detector.reader is reader and detector.config is config
    alternate = next(e for e in errors if e.policy == 'alternate')
    assert alternate.action == ['FORECAST', 'READ'] * 3
    detector.config = evaluation_config(Policy.ALTERNATE)
    for index, error in zip(alternate.index, alternate.error, strict=True):
        detector.step({'s': clip.frame(index - 1)})
        read = reader.read([reader.load(clip.frame(index))])
        gap = (read - detector.memory('s').forecast).norm(dim=1) / read.norm(dim=1).mean()
        assert float(gap.mean()) == pytest.approx(error, rel=1e-3)
    assert [p.policy for p in pictures[:2]] == ['scheduler, p = 0.4', 'alternate']
    assert len({p.brightest for p in pictures}) == 1
    assert show_errors(detector, [clip], 0.9)[0][0].policy == 'scheduler, p = 0.9'


@torch.inference_mode()
def test_forecast_errors_are_those_of_the_features_that_a_forecast_answers_from(steered):
    clip = Patches('a', 1, 7)
    alternate = next(e for e in show_errors(steered, [clip])[1] if e.policy == 'alternate')
    taken, encode = [], steered.network.encode

    def watched(features, state):
        taken.append(features)
        return encode(features, state)

    steered.network.encode = watched
    steered.config = evaluation_config(Policy.ALTERNATE)
    for index in range(len(clip)):
        steered.step({'s': clip.frame(index)})
    assert alternate.action == ['FORECAST', 'READ'] * 3
    for index in (1, 3, 5):
        read = steered.reader.read([steered.reader.load(clip.frame(index))])
        gap = (read - taken[index]).norm(dim=1) / read.norm(dim=1).mean()
        assert float(gap.mean()) == pytest.approx(alternate.error[index - 1], abs=1e-4)


def test_tracing_a_real_run_leaves_the_detector_as_it_was(detector):
    clips = [NoisyClip('a', 8), NoisyClip('b', 1)]
    runner = DetectorRunner(detector, detector.config)
    runs = run_clips(runner, clips)
    trace = make_trace(runs, clips, detector.labels, detector)
    json.dumps(to_plain(trace), allow_nan=False)
    assert len(of(trace, 'heat')) == 8
    again = run_clips(runner, clips)
    for one, other in zip(runs, again, strict=True):
        assert [s.action for s in one.steps] == [s.action for s in other.steps]
