"""Inputs trimmed to the shape of the image, and streams of several shapes on one network."""

from threading import Event

import numpy as np
import pytest
from stream_samples import live_and_stored
from yolox_samples import make_detector, make_yolox, MovingNoise

from forecast_detector.boxes import Geometry
from forecast_detector.config import ModelConfig, StreamConfig
from forecast_detector.data.base import Clip, Truth
from forecast_detector.diagnosis.forecast_ratio import distance, forecast_ratios
from forecast_detector.engine.preparation import MOST, Preparation, usual_sizes
from forecast_detector.evaluation.forecast_error import relative_error
from forecast_detector.evaluation.store import FeatureStore
from forecast_detector.training.distillation.readings import Readings
from forecast_detector.types import Action, Policy, Reason

INPUT = (128, 128)
EVERYTHING = StreamConfig(
    policy=Policy.ALTERNATE, read_every=3, score_threshold=0.0, max_detections=30, max_gap_s=0.0)
# (height, width) of images that are laid into 64x128, 128x96 and 128x128.
WIDE, TALL, SQUARE = (72, 192), (160, 110), (100, 100)


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    """A detector of random weights, with a correction and a scheduler."""
    network = make_yolox(input_size=INPUT, resize='trim', correction=4, scheduler=4)
    return make_detector(tmp_path_factory.mktemp('trim'), EVERYTHING, network)


def run(detector, clips, length=6):
    """Step some clips side by side; gives the answers of each."""
    detector = detector.variant()
    detector.config = EVERYTHING
    steps = [
        detector.step({clip.name: clip.frame(index) for clip in clips}) for index in range(length)
    ]
    return {clip.name: [step[clip.name] for step in steps] for clip in clips}


def assert_same(one, other, atol=1e-4):
    for first, second in zip(one, other, strict=True):
        assert first.decision.action is second.decision.action
        assert len(first.detections) == len(second.detections)
        np.testing.assert_allclose(first.detections.boxes, second.detections.boxes, atol=100*atol)
        np.testing.assert_allclose(first.detections.scores, second.detections.scores, atol=atol)


@pytest.mark.parametrize(('image', 'size'), [
    ((1280, 720), (256, 416)), ((640, 480), (320, 416)), ((480, 640), (416, 320)),
    ((500, 500), (416, 416)), ((100, 1), (32, 416)), ((1, 100), (416, 32)),
    ((416, 256), (256, 416)), ((416, 257), (288, 416)),
])
def test_an_input_is_as_large_as_the_image_needs(image, size):
    trimmed = Geometry.fit(image, (416, 416), 'trim')
    corner = Geometry.fit(image, (416, 416), 'corner')
    assert trimmed.input_size == size and corner.input_size == (416, 416)
    assert (trimmed.laid_size, trimmed.scale) == (corner.laid_size, corner.scale)
    assert trimmed.laid_size[0] <= size[1] and trimmed.laid_size[1] <= size[0]
    thumbnail = trimmed.reduced(2, 'trim')
    assert thumbnail.input_size == (size[0] // 2, size[1] // 2)


@pytest.mark.parametrize('resize', ['trim', 'corner'])
def test_thumbnails_lie_as_their_images_do(resize):
    generator = np.random.default_rng(0)
    for image in [(1298, 602), (1299, 103), *generator.integers(40, 1400, (200, 2)).tolist()]:
        laid = Geometry.fit(tuple(image), (416, 416), resize)
        thumbnail = laid.reduced(2, resize)
        for small, large in zip(thumbnail.laid_size, laid.laid_size):
            assert 0 <= large - 2 * small < 2
        if resize == 'corner':
            assert thumbnail == Geometry.fit(tuple(image), (208, 208), resize)


def test_it_is_the_trimmed_input_as_if_that_had_been_asked_for(detector, tmp_path):
    network = make_yolox(input_size=(64, 128), resize='corner', correction=4, scheduler=4)
    asked = make_detector(tmp_path, EVERYTHING, network)
    clip = MovingNoise(size=WIDE)
    one, other = (run(each, [clip])[clip.name] for each in (detector, asked))
    assert any(len(result.detections) for result in one)
    assert_same(one, other)


def test_cameras_of_several_shapes_share_a_network(detector):
    sizes = WIDE, TALL, SQUARE, WIDE[::-1]
    clips = [MovingNoise(f'{size}', size=size, shift=(2, 1)) for size in sizes]
    together = run(detector, clips)
    assert {result.decision.action for result in together[clips[0].name]} == set(Action)
    for clip in clips:
        assert_same(together[clip.name], run(detector, [clip])[clip.name])
        ends = [result.detections.boxes.max() for result in together[clip.name]]
        assert max(ends) <= max(clip.size)


@pytest.mark.parametrize('policy', ['scheduler', 'alternate', 'flow'])
def test_clips_of_several_shapes_are_stored_as_they_are_stepped(detector, policy):
    clips = [MovingNoise(f'{size}', size=size, length=5) for size in (WIDE, TALL, SQUARE, WIDE)]
    live, stored = live_and_stored(policy, detector, clips, 0.8)
    for one, other in zip(live, stored, strict=True):
        assert [step.action for step in one.steps] == [step.action for step in other.steps]
        for first, second in zip(one.steps, other.steps):
            np.testing.assert_allclose(
                first.detections.scores, second.detections.scores, atol=1e-3)


class Turned(Clip):
    """A clip whose camera is turned half way."""

    name = 'turned'

    def __len__(self):
        return 6

    def read(self, index):
        return MovingNoise(size=WIDE if index < 3 else TALL).read(index)

    def truth(self, index):
        return Truth()


def test_a_clip_of_several_shapes_is_not_trimmed(detector):
    store = FeatureStore(detector, [MovingNoise(size=WIDE), Turned(), MovingNoise(size=TALL)])
    assert [len(clip) for clip in store.clips] == [8, 6, 8]
    sizes = [store.geometry(first).input_size for first in store.first]
    assert sizes == [(64, 128), INPUT, (128, 96)]
    coarse = store.features(range(8, 14)).maps[-1]
    assert coarse.shape[2:] == (4, 4) and coarse.abs().amax(dim=(1, 2, 3)).min() > 0
    assert store.features([0]).maps[-1].shape[2:] == (2, 4)


def test_frames_of_a_clip_that_is_read_twice_are_counted_once(detector):
    class Torn(Turned):
        def read(self, index):
            if index == 1:
                raise ValueError('torn')
            return super().read(index)

    counts, bad = [], []
    store = FeatureStore(detector, [MovingNoise(size=TALL), Torn()], counts.append,
                         on_bad_frame=lambda clip, index, error: bad.append(index))
    assert [len(clip) for clip in store.clips] == [8, 5] and bad == [1]
    assert sum(counts) == 8 + 6


def test_inputs_of_several_sizes_are_no_batch(detector):
    store = FeatureStore(detector, [MovingNoise(size=WIDE), MovingNoise(size=TALL)])
    with pytest.raises(ValueError, match=r'\(.*\) and \(.*\) do not fit in a batch'):
        store.features([3, 12])


def test_nothing_is_expected_of_a_frame_of_another_shape(detector):
    one = detector.variant()
    one.step({'a': MovingNoise(size=WIDE).frame(0)})
    assert one.expect('a', MovingNoise(size=WIDE).frame(1)) is not None
    assert one.expect('a', MovingNoise(size=TALL).frame(1)) is None


def test_a_camera_that_changes_shape_starts_anew(detector):
    one = detector.variant()
    one.config = EVERYTHING
    turned = Turned()
    for index in range(6):
        decision = one.step({'a': turned.frame(index)})['a'].decision
        assert (decision.reason is Reason.RESET) == (index == 3)
    assert one.surprise('a').shape == (4, 3)
    assert one.anticipate('a').boxes.max() <= max(TALL)


def test_runs_of_a_batch_are_of_one_shape(detector):
    clips = [MovingNoise(f'{at}', size=size) for at, size in enumerate((WIDE, TALL, WIDE))]
    store = FeatureStore(detector, clips)
    readings, seen = Readings(store), set()
    for seed in range(20):
        runs = readings.draw(np.random.default_rng(seed), 4, 3, 0, cut=0.5)
        clips_of = {int(frame) // 8 for frame in runs.flatten()}
        assert clips_of <= {0, 2} or clips_of == {1}
        seen |= clips_of
        assert readings.features(runs[0]).maps[0].shape[0] == 4
    assert seen == {0, 1, 2}


def test_errors_of_forecasts_are_measured_over_all_shapes(detector):
    clips = [MovingNoise(f'{size}', size=size, shift=(2, 1)) for size in (WIDE, TALL)]
    store = FeatureStore(detector, clips)
    near, far = forecast_ratios(store, 2)
    assert (near.frames, far.frames) == (14, 12)
    assert near.ratio > 0 and np.isfinite([near.ratio, far.ratio]).all()


def test_how_old_f_is_makes_no_error(detector):
    read = FeatureStore(detector, [MovingNoise(size=WIDE)]).features([3])
    aged = read._replace(staleness=read.staleness + 1)
    assert distance(read, aged).tolist() == [0] and (relative_error(read, aged) == 0).all()


def test_the_papers_family_is_not_trimmed():
    with pytest.raises(ValueError, match='trim.* is for YOLOX'):
        ModelConfig(('cat',), resize='trim')


def test_usual_images_are_prepared_for():
    assert usual_sizes((416, 416), 'trim') == [(320, 416), (256, 416)]
    assert usual_sizes((416, 416), 'corner') == [(416, 416)]


class Compiled:
    """Takes down what it is prepared for; waits or fails where asked."""

    def __init__(self, error=None):
        self.prepared, self.error, self.go, self.done = [], error, Event(), Event()

    def prepare(self, size, batches):
        if self.go is not None:
            assert self.go.wait(10)
        self.prepared.append((size, list(batches)))
        self.done.set()
        if self.error:
            raise self.error


def preparation_of(network, beside=False):
    network.go.set()
    preparation = Preparation(network, [])
    preparation.streams(1, beside)
    return preparation


def test_what_comes_is_prepared_for_once():
    network = Compiled()
    network.go.set()
    preparation = Preparation(network, [(64, 64)])
    for size in ((64, 64), (64, 96), (64, 96)):
        preparation.meet(size)
    assert network.prepared == [((64, 96), [1])] and preparation.waited_s > 0
    preparation.streams(3, beside=False)
    assert sorted(network.prepared[1:]) == [((64, 64), [1, 2]), ((64, 96), [1, 2])]


def test_frames_do_not_wait_for_it_where_it_is_done_beside():
    network = Compiled()
    preparation = preparation_of(network, beside=True)
    network.go.clear()
    preparation.meet((64, 96))
    assert network.prepared == [] and preparation.waited_s == 0  # the step goes on
    network.go.set()
    assert network.done.wait(10) and network.prepared == [((64, 96), [1])]


def test_what_waits_to_be_prepared_is_dropped_at_the_end():
    network = Compiled()
    preparation = preparation_of(network, beside=True)
    network.go.clear()
    pool = preparation._beside
    for width in (64, 96, 128):
        preparation.meet((64, width))
    preparation.close()
    network.go.set()
    pool.shutdown()  # waits
    assert len(network.prepared) <= 1


@pytest.mark.parametrize('beside', [False, True])
def test_what_cannot_be_prepared_is_said_and_no_step_fails(caplog, beside):
    network = Compiled(RuntimeError('no room'))
    preparation = preparation_of(network, beside)
    preparation.meet((64, 96))
    if beside:
        preparation._beside.shutdown()  # waits
    assert 'inputs of 64x96 are not compiled, and run in PyTorch: RuntimeError: no room' in (
        caplog.text)


def test_a_sender_of_many_shapes_does_not_fill_the_memory(caplog):
    network = Compiled()
    preparation = preparation_of(network)
    for side in range(1, 40):
        preparation.meet((32, 32 * side))
    assert len(network.prepared) == MOST
    assert len(caplog.records) == 1 and f'more than {MOST} sizes' in caplog.text


def test_a_network_of_pytorch_needs_none():
    Preparation(object(), []).meet((64, 64))
