"""Annotated frames and videos: boxes where they belong, red frames on forecasts only."""

import cv2
import numpy as np
import pytest

from forecast_detector.annotate import annotate, class_colour, fit, FORECAST_RED, VideoWriter
from forecast_detector.data.base import Truth
from forecast_detector.data.video import VideoReader
from forecast_detector.types import Action, Decision, Detections, Reason

GREY = np.full((240, 320, 3), 90, np.uint8)


def decision(action):
    """Return a decision with that action."""
    return Decision(action, Reason.SCHEDULER, 0.5, frames_since_read=int(action))


def found(*boxes):
    """Return detections of class 0 with falling scores."""
    n = len(boxes)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4),
                      np.linspace(0.9, 0.5, n).astype(np.float32), np.zeros(n, np.int64))


def test_a_box_is_drawn_on_its_edge_and_not_inside():
    image = annotate(GREY, found([100, 80, 180, 160]), ('bolt',))
    assert tuple(image[120, 100]) == class_colour(0)
    assert tuple(image[120, 179]) == class_colour(0)
    assert tuple(image[159, 140]) == class_colour(0)
    assert (image[95:150, 110:170] == 90).all()
    assert (GREY == 90).all()


def test_only_forecasts_are_framed_in_red():
    read = annotate(GREY, Detections(), ('bolt',), decision(Action.READ))
    forecast = annotate(GREY, Detections(), ('bolt',), decision(Action.FORECAST))
    assert (read == GREY).all()
    edge = np.concatenate([forecast[-1], forecast[:, -1], forecast[:, 0]])
    assert (edge == FORECAST_RED).all()
    assert (forecast[60:-10, 10:-10] == 90).all()


@pytest.mark.parametrize(('size', 'scale'), [((272, 640), 480 / 272), ((2160, 3840), 1.0)])
def test_names_are_as_easy_to_read_on_any_size(size, scale):
    image = np.full((*size, 3), 90, np.uint8)
    box = found([size[1] / 2, size[0] / 2, 0.9 * size[1], 0.9 * size[0]])
    drawn = annotate(image, box, ('person',), decision(Action.FORECAST), scale=scale)
    unit = drawn.shape[0] / 480
    plate = (drawn == class_colour(0)).all(axis=2)
    letters = (drawn < 40).all(axis=2)
    # Black letters as high as an eightieth of the picture, on a plate that is as wide as they are.
    rows, columns = np.nonzero(letters)
    assert rows.max() - rows.min() >= 6 * unit
    assert columns.max() - columns.min() >= 60 * unit
    # In their rows, letters have their share of the plate: strokes grow with them.
    part = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    assert letters[part].sum() >= 0.12 * (letters | plate)[part].sum()


@pytest.mark.parametrize('box', [[260, 0, 320, 60], [0, 238, 60, 240]])
def test_names_at_the_border_are_not_hidden_by_the_red_frame(box):
    read, forecast = (annotate(GREY, found(box), ('bolt',), decision(a)) for a in Action)
    letters = (read < 40).all(axis=2)
    assert letters.any() and (forecast[letters] == read[letters]).all()


def test_truth_and_scale():
    truth = Truth(np.array([[20, 20, 60, 60]], np.float32), np.zeros(1, np.int64),
                  np.zeros(1, np.int64))
    image = annotate(GREY, Detections(), ('bolt',), truth=truth, scale=2.0)
    assert image.shape == (480, 640, 3)
    assert image[80, 40].min() > 200 and image[80, 119].min() > 200


def test_boxes_and_names_at_the_border_and_unknown_classes_do_no_harm():
    boxes = found([-20, -20, 30, 30], [300, 230, 400, 300], [0, 0, 320, 240])
    image = annotate(GREY, boxes, ())
    assert image.shape == GREY.shape and (image != GREY).any()


def test_colours_of_thirty_classes_differ_and_none_is_the_red_of_forecasts():
    colours = [class_colour(k) for k in range(30)]
    assert len(set(colours)) == 30
    assert min(np.abs(np.subtract(c, FORECAST_RED)).max() for c in colours) > 40


def test_letterbox_keeps_the_aspect():
    image = fit(np.full((100, 100, 3), 200, np.uint8), (320, 240))
    assert image.shape == (240, 320, 3)
    assert image[120, 160].min() == 200 and image[120, 30].max() == 0
    assert (image[:, 40:280] == 200).all() and (image[:, :40] == 0).all()


def test_a_video_has_every_frame_and_keeps_its_first_size(tmp_path):
    path = tmp_path / 'out' / 'a.mp4'
    with VideoWriter(path, 12.5) as video:
        for k in range(5):
            video.write(np.full((240, 320, 3) if k % 2 == 0 else (100, 100, 3), 50 * k, np.uint8))
    reader = VideoReader(path)
    assert reader.info() == (5, 12.5, (320, 240))
    assert [abs(int(reader.read(k)[120, 160, 0]) - 50 * k) < 6 for k in range(5)] == [True] * 5


def test_odd_sizes_become_even(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', 10) as video:
        video.write(np.full((31, 45, 3), 130, np.uint8))
    reader = VideoReader(tmp_path / 'a.mp4')
    assert reader.info()[2] == (46, 32)
    assert abs(int(reader.read(0)[31, 45, 1]) - 130) < 6


def test_red_is_red_in_the_video(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', 10) as video:
        video.write(np.full((32, 32, 3), FORECAST_RED, np.uint8))
    bgr = cv2.VideoCapture(str(tmp_path / 'a.mp4')).read()[1]
    assert bgr[16, 16, 2] > 190 and bgr[16, 16, 0] < 80


def test_videos_that_cannot_be_written_are_errors(tmp_path):
    with pytest.raises(ValueError, match='fps: 0'):
        VideoWriter(tmp_path / 'a.mp4', 0)
    with pytest.raises(RuntimeError, match='no image was written'):
        with VideoWriter(tmp_path / 'a.mp4', 10):
            pass
    with pytest.raises(OSError, match=r'a\.what.*\.mp4'):
        with VideoWriter(tmp_path / 'a.what', 10) as video:
            video.write(GREY)
    with pytest.raises(KeyError):
        with VideoWriter(tmp_path / 'a.mp4', 10) as video:
            raise KeyError
    with VideoWriter(tmp_path / 'b.mp4', 10) as video:
        video.write(GREY)
        video.frames += 1
        with pytest.raises(OSError, match='2 frames were written and 1'):
            video.close()
        video.frames -= 1
