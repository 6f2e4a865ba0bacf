"""Images made smaller: what comes out, whatever the sides."""

import cv2
import numpy as np
import pytest

from forecast_detector.resizing import resized, weights


def smooth(width, height):
    """An image in which every pixel is near its neighbours."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(columns / width * 7 + k) + np.cos(rows / height * 5 - k) for k in range(3)]
    return np.asarray(128 + 60 * np.stack(waves, axis=-1), np.uint8)


@pytest.mark.parametrize('size', [(640, 480), (1280, 720), (1920, 1080), (854, 480), (641, 481)])
@pytest.mark.parametrize('side', [416, 208])
def test_a_smooth_image_is_that_of_averaging(size, side):
    image, laid = smooth(*size), (side, round(side * size[1] / size[0]))
    wanted = cv2.resize(image, laid, interpolation=cv2.INTER_AREA)
    found = resized(image, laid)
    assert found.shape == wanted.shape and found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= 3


@pytest.mark.parametrize('size', [(640, 480), (641, 481)])
def test_fine_texture_is_averaged_when_much_smaller(size):
    """Every other pixel is white: picking pixels would show stripes."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[:, ::2] = 255
    found = resized(image, (104, 78))
    assert np.abs(found.astype(int) - 127).max() < 45


@pytest.mark.parametrize('shape', [(48, 64, 3), (48, 64)])
def test_larger_grey_and_equal(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert resized(image, (64, 48)) is image
    assert resized(image, (96, 72)).shape == (72, 96, *shape[2:])
    assert resized(image, (1, 1)).shape == (1, 1, *shape[2:])


@pytest.mark.parametrize('size', [(640, 480), (1920, 1080), (854, 480), (641, 481), (100, 60)])
@pytest.mark.parametrize('laid', [(416, 234), (160, 160), (208, 156)])
def test_matrices_resize_as_resizing_does(size, laid):
    """What rounds by half a grey value in each of several stages is off by little more."""
    image = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    columns, rows = weights(size, laid)
    found = np.einsum('hH,HWc,wW->hwc', columns, image.astype(np.float32), rows, optimize=True)
    wanted = resized(image, laid)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1.5
    np.testing.assert_allclose(columns.sum(axis=1), 1, atol=1e-5)
