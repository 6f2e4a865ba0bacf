"""Dense motion between small grey pictures, on pictures whose motion is known."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from forecast_detector.flow import dense_flow, grey_thumbnail, prepare, thumbnail_size

SIDE = 160
MARGIN = 60


def texture(seed=0, side=SIDE + 2 * MARGIN):
    noise = np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


def window(world):
    return np.ascontiguousarray(world[MARGIN:-MARGIN, MARGIN:-MARGIN])


def seen_after(matrix, world):
    """Give the picture of the world, and that after the world moved by an affine matrix."""
    moved = cv2.warpAffine(world, np.array(matrix, np.float32), world.shape[::-1])
    return window(world), window(moved)


def flow_of(before, now):
    return dense_flow(prepare(before), prepare(now))


@pytest.mark.parametrize('shift', [(0, 0), (2, -1), (10.5, 4), (-40, 25)])
def test_a_shift_is_found_in_either_order(shift):
    before, now = seen_after([[1, 0, shift[0]], [0, 1, shift[1]]], texture())
    np.testing.assert_allclose(np.median(flow_of(before, now), (0, 1)), shift, atol=0.1)
    np.testing.assert_allclose(
        np.median(flow_of(now, before), (0, 1)), -np.array(shift), atol=0.1)


def test_a_zoom_grows_from_the_centre():
    centre = SIDE / 2 + MARGIN
    before, now = seen_after(
        [[1.06, 0, -0.06 * centre], [0, 1.06, -0.06 * centre]], texture())
    flow = flow_of(before, now)
    inner = slice(30, -30)
    rows, columns = np.mgrid[:SIDE, :SIDE][:, inner, inner] - SIDE / 2
    error = flow[inner, inner] - 0.06 * np.stack([columns, rows], axis=2)
    assert np.abs(error).mean() < 0.3


def test_two_things_move_apart():
    before = cv2.GaussianBlur(texture(0, SIDE), (0, 0), 4)
    now = before.copy()
    for seed, left, step in ((1, 30, -6), (2, 90, 6)):
        thing = texture(seed, 40)
        before[60:100, left:left + 40] = thing
        now[60:100, left + step:left + 40 + step] = thing
    flow = flow_of(before, now)
    np.testing.assert_allclose(np.median(flow[65:95, 35:65], (0, 1)), (-6, 0), atol=0.5)
    np.testing.assert_allclose(np.median(flow[65:95, 95:125], (0, 1)), (6, 0), atol=0.5)


def test_padding_changes_nothing_inside():
    before, now = seen_after([[1, 0, 12], [0, 1, -5]], texture())
    wide = [cv2.copyMakeBorder(p, 0, 0, 20, 48, cv2.BORDER_CONSTANT, value=127)
            for p in (before, now)]
    flow = flow_of(*wide)
    np.testing.assert_array_equal(flow[:, 20:-48], flow_of(before, now))
    np.testing.assert_array_equal(flow[:, -1], flow[:, -49])


def test_nothing_moves_far_at_a_cut():
    """No single shift explains another scene; what is left is a search nearby."""
    flow = flow_of(window(texture(0)), window(texture(7)))
    assert np.abs(np.median(flow, (0, 1))).max() < 5


@pytest.mark.parametrize(
    'shape', [(1, 1), (3, 100), (15, 104), (16, 16), (16, 104), (31, 208), (32, 32), (40, 33),
              (80, 80)])
def test_small_pictures_have_a_flow(shape):
    picture = np.ascontiguousarray(texture()[:shape[0], :shape[1]])
    flow = flow_of(picture, picture)
    assert flow.shape == (*shape, 2) and flow.dtype == np.float32
    assert np.abs(flow).max() < 0.1


def test_a_flat_picture_does_not_move():
    flat = np.full((64, 64), 9, np.uint8)
    assert not flow_of(flat, flat).any()


def test_calls_do_not_depend_on_those_before_or_on_threads():
    pairs = [seen_after([[1, 0, shift], [0, 1, 0]], texture(shift)) for shift in range(6)]
    small = [tuple(p[:48, :48].copy() for p in pair) for pair in pairs]
    mixed = [pair for both in zip(pairs, small) for pair in both]
    alone = []
    for pair in mixed:
        with ThreadPoolExecutor(1) as fresh:
            alone.append(fresh.submit(flow_of, *pair).result())
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: flow_of(*pair), mixed))
    for one, other in zip(alone, together):
        np.testing.assert_array_equal(one, other)


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r'\(40, 50\) and \(50, 40\).*one size'):
        dense_flow(np.zeros((40, 50), np.uint8), np.zeros((50, 40), np.uint8))


def test_the_longer_side_of_a_thumbnail_is_given():
    assert thumbnail_size(1920, 1080) == (117, 208)
    assert thumbnail_size(1, 1000, 208) == (208, 1)
    image = np.random.default_rng(0).integers(0, 256, (90, 60, 3), np.uint8)
    small = grey_thumbnail(image, 45)
    assert small.shape == (45, 30)
    again = grey_thumbnail(np.repeat(small[:, :, None], 3, axis=2), 45)
    np.testing.assert_array_equal(again, small)
    assert grey_thumbnail(image, (20, 70)).shape == (20, 70)
