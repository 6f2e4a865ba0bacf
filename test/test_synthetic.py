"""The synthetic world: repeatable, boxes where the objects are, objects that come and go."""

from dataclasses import replace
import pickle

import numpy as np
import pytest

from forecast_detector.data.scene import render
from forecast_detector.data.sprites import CLASSES, make_sprite
from forecast_detector.data.synthetic import load_synthetic, SyntheticWorld
from forecast_detector.types import BadFrameError


@pytest.fixture(scope='module')
def world():
    """Return a world of 60 frames with a cut at frame 30."""
    return SyntheticWorld(5, 60, cut_every=30)


def test_frames_are_the_same_in_any_order_and_any_process(world):
    again = pickle.loads(pickle.dumps(SyntheticWorld(5, 60, cut_every=30)))
    last, first = again.read(59), again.read(0)
    assert (first == world.read(0)).all() and (last == world.read(59)).all()
    assert (world.truth(7).boxes == again.truth(7).boxes).all()
    assert first.shape == (240, 320, 3) and first.dtype == np.uint8
    assert (SyntheticWorld(6, 60).read(0) != first).mean() > 0.5


def test_objects_are_inside_their_boxes_and_nowhere_else(world):
    for index in (0, 20, 45):
        scene, time_s = world.scene(index)
        bare = render(replace(scene, bodies=()), time_s).astype(int)
        changed = np.abs(render(scene, time_s) - bare).max(axis=2) > 40
        everything = SyntheticWorld(5, 60, cut_every=30, min_visible=0.0).truth(index)
        inside = np.zeros((240, 320), bool)
        for x0, y0, x1, y1 in everything.boxes:
            # Soft shadows reach beyond the outline by up to an eighth of the object.
            pad = 2 + 0.13 * max(x1 - x0, y1 - y0)
            inside[max(0, int(y0 - pad)):int(y1 + pad) + 1,
                   max(0, int(x0 - pad)):int(x1 + pad) + 1] = True
        assert changed.sum() > 500
        assert not (changed & ~inside).any()


@pytest.mark.parametrize('kind', CLASSES)
def test_an_outline_bounds_what_is_drawn(kind):
    sprite = make_sprite(kind, 60, np.random.default_rng(1))
    alpha = sprite.image[..., 3]
    rows, columns = np.nonzero(alpha > 0.9)
    middle = (alpha.shape[0] - 1) / 2
    drawn = np.array([columns.min(), rows.min(), columns.max(), rows.max()]) - middle
    bound = np.concatenate([sprite.outline.min(axis=0), sprite.outline.max(axis=0)])
    assert np.abs(drawn - bound).max() < 3
    assert 50 <= max(bound[2:] - bound[:2]) <= 61


def test_boxes_lie_in_the_image_and_move_smoothly(world):
    before = {}
    for index in range(30):
        truth = world.truth(index)
        assert (truth.boxes >= 0).all() and (truth.boxes <= [320, 240, 320, 240]).all()
        assert (truth.boxes[:, 2:] - truth.boxes[:, :2] >= 2).all()
        now = dict(zip(truth.tracks.tolist(), truth.boxes, strict=True))
        for track in set(now) & set(before):
            assert np.abs(now[track] - before[track]).max() < 20
        before = now


def test_objects_enter_and_leave_and_are_dropped_when_hardly_visible():
    tracks = [set(SyntheticWorld(1, 150).truth(k).tracks.tolist()) for k in range(0, 150, 5)]
    assert any(b - a for a, b in zip(tracks, tracks[1:]))
    assert any(a - b for a, b in zip(tracks, tracks[1:]))
    count = [
        sum(len(SyntheticWorld(1, 150, min_visible=share).truth(k)) for k in range(0, 150, 5))
        for share in (0.1, 0.4, 0.9)
    ]
    assert count[0] > count[1] > count[2]


def test_a_cut_brings_new_ground_and_new_objects(world):
    def change(a, b):
        return float(np.abs(world.read(a).astype(int) - world.read(b)).mean())

    assert change(29, 30) > 2.5 * change(28, 29)
    assert not set(world.truth(29).tracks.tolist()) & set(world.truth(30).tracks.tolist())


def test_every_class_is_there_and_sizes_suit_a_small_detector():
    dataset = load_synthetic('train', clips=12, length=40)
    truths = [clip.truth(k) for clip in dataset.clips for k in range(0, 40, 8)]
    labels = np.concatenate([t.labels for t in truths])
    boxes = np.concatenate([t.boxes for t in truths])
    assert set(labels.tolist()) == set(range(len(dataset.labels)))
    side = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    assert 24 < np.median(side) < 80
    assert 2 < len(labels) / len(truths) < 6


def test_splits_share_no_world_and_ids_are_unique():
    sets = {name: load_synthetic(name, clips=3, length=10) for name in ('train', 'val', 'demo')}
    assert len({clip.name for s in sets.values() for clip in s.clips}) == 9
    ids = [clip.image_id(k) for clip in sets['val'].clips for k in range(10)]
    assert ids == list(range(30))
    assert sets['val'].clips[1].stamp_ns(3) == 200_000_000
    with pytest.raises(ValueError, match="not 'test'"):
        load_synthetic('test')


def test_size_and_camera_settings():
    world = SyntheticWorld(2, 5, size=(160, 120), motion_blur=0.5)
    assert world.read(0).shape == (120, 160, 3)
    clean = SyntheticWorld(2, 5, size=(160, 120), noise=0)
    noisy = SyntheticWorld(2, 5, size=(160, 120), noise=1)
    difference = noisy.read(3).astype(float) - clean.read(3)
    assert 2.0 < difference.std() < 3.5
    blurred = SyntheticWorld(2, 5, size=(160, 120), noise=0, motion_blur=1.0).read(3)
    sharp = clean.read(3)
    assert np.diff(blurred.astype(int), axis=1).std() < np.diff(sharp.astype(int), axis=1).std()


@pytest.mark.parametrize('values', [
    {'length': 0}, {'size': (0, 240)}, {'fps': 0}, {'cut_every': 0}, {'noise': -1},
    {'motion_blur': 2}, {'min_visible': -0.1},
])
def test_values_outside_their_range_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        SyntheticWorld(**{'seed': 0, 'length': 10, **values})


def test_a_frame_that_is_not_there(world):
    with pytest.raises(BadFrameError, match='frame 60 asked for; there are 60'):
        world.read(60)
