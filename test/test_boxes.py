"""Box algebra, with numbers that can be checked by hand."""

import numpy as np
import pytest

from forecast_detector.boxes import area, Geometry, iou, xywh_to_xyxy, xyxy_to_xywh


def test_iou_of_half_overlapping_squares_is_a_third():
    a = np.array([[0, 0, 10, 10]], float)
    b = np.array([[5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 10, 10]], float)
    assert iou(a, b)[0] == pytest.approx([1 / 3, 0, 1])


def test_iou_of_empty_boxes_is_zero():
    empty = np.zeros((1, 4))
    assert iou(empty, empty)[0, 0] == 0


def test_area_of_a_box_turned_inside_out_is_zero():
    assert area(np.array([[10, 10, 0, 0], [0, 0, 2, 3]], float)) == pytest.approx([0, 6])


def test_corner_size_and_back():
    boxes = np.array([[1, 2, 11, 22]], float)
    assert xyxy_to_xywh(boxes)[0] == pytest.approx([1, 2, 10, 20])
    assert xywh_to_xyxy(xyxy_to_xywh(boxes)) == pytest.approx(boxes)


def test_letterbox_centres_a_wide_image():
    geometry = Geometry.fit((640, 480), (320, 320), 'letterbox')
    assert geometry.scale == (0.5, 0.5)
    assert geometry.laid_size == (320, 240)
    assert geometry.offset == (0, 40)


def test_stretch_fills_the_input():
    geometry = Geometry.fit((640, 480), (320, 320), 'stretch')
    assert geometry.laid_size == (320, 320)
    assert geometry.offset == (0, 0)


def test_at_the_corner_the_last_part_of_a_pixel_is_left_out():
    geometry = Geometry.fit((300, 299), (320, 320), 'corner')
    assert geometry.laid_size == (320, 318) and geometry.offset == (0, 0)  # 318.93
    assert geometry.to_input(np.array([[0, 0, 300, 299]])) == pytest.approx(
        np.array([[0, 0, 320, 318]]))
    assert Geometry.fit((1000, 1), (320, 320), 'corner').laid_size == (320, 1)


@pytest.mark.parametrize('size', [(640, 480), (480, 640), (300, 300), (1920, 1080), (33, 1000)])
@pytest.mark.parametrize('resize', ['letterbox', 'corner', 'stretch'])
def test_boxes_survive_the_way_to_the_input_and_back(size, resize):
    geometry = Geometry.fit(size, (320, 320), resize)
    boxes = np.array([[0, 0, *size], [3, 5, 20, 30]], np.float32)
    there = geometry.to_input(boxes)
    assert there.min() >= -0.5
    assert there.max() <= 320.5
    assert geometry.to_image(there) == pytest.approx(boxes, abs=1e-3)


def test_boxes_are_clipped_to_the_image():
    geometry = Geometry.fit((100, 50), (320, 320), 'letterbox')
    outside = geometry.to_image(np.array([[-50, 0, 400, 400]], np.float32))
    assert outside[0] == pytest.approx([0, 0, 100, 50])
