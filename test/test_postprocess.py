"""Scores, boxes and suppression."""

import numpy as np
import pytest
import torch

from forecast_detector.boxes import Geometry
from forecast_detector.model.decoding import AnchorDecoding
from forecast_detector.model.head import HeadOutput
from forecast_detector.postprocess import suppress, to_detections
from forecast_detector.preprocess import FILL, lay_image

DECODING = AnchorDecoding(torch.tensor([[10.0, 10, 10, 10], [11, 10, 10, 10], [50, 50, 20, 20]]))


def output(probabilities):
    logits = torch.log(torch.tensor(probabilities, dtype=torch.float32)).unsqueeze(0)
    return HeadOutput(logits, torch.zeros(1, 3, 4))


def test_the_weaker_of_two_overlapping_boxes_goes():
    head = output([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.3, 0.1, 0.6]])
    found = to_detections(DECODING, head, 0.5, nms_iou=0.5, max_detections=10)[0]
    assert found.labels.tolist() == [0, 1]
    assert found.scores == pytest.approx([0.8, 0.6])
    assert found.boxes[0] == pytest.approx([5, 5, 15, 15])
    assert found.boxes[1] == pytest.approx([40, 40, 60, 60])


def test_overlapping_boxes_of_two_classes_both_stay():
    head = output([[0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.98, 0.01, 0.01]])
    found = to_detections(DECODING, head, 0.5, nms_iou=0.5, max_detections=10)[0]
    assert found.labels.tolist() == [0, 1]


def test_nothing_above_the_threshold_is_no_detection():
    head = output([[0.98, 0.01, 0.01]] * 3)
    found = to_detections(DECODING, head, 0.5, nms_iou=0.5, max_detections=10)[0]
    assert (len(found), found.boxes.shape) == (0, (0, 4))


def test_at_most_so_many_detections_the_strongest_first():
    head = output([[0.2, 0.8, 1e-6], [0.4, 1e-6, 0.6], [0.1, 0.9, 1e-6]])
    found = to_detections(DECODING, head, 0.1, nms_iou=0.5, max_detections=2)[0]
    assert found.scores == pytest.approx([0.9, 0.8])


def test_suppression_keeps_boxes_that_overlap_less_than_the_limit():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], np.float32)
    scores, labels = np.array([0.5, 0.9], np.float32), np.zeros(2, np.int64)
    # They overlap by a third.
    assert suppress(boxes, scores, labels, 0.3).tolist() == [1]
    assert suppress(boxes, scores, labels, 0.4).tolist() == [1, 0]


def test_letterboxed_image_lies_in_grey():
    image = np.full((10, 20, 3), 200, np.uint8)
    laid = lay_image(image, Geometry.fit((20, 10), (64, 64), 'letterbox'))
    assert laid.shape == (64, 64, 3)
    assert (laid[:16] == FILL).all()
    assert (laid[48:] == FILL).all()
    assert (laid[16:48] == 200).all()


def test_stretched_image_fills_the_input():
    image = np.full((10, 20, 3), 200, np.uint8)
    laid = lay_image(image, Geometry.fit((20, 10), (64, 96), 'stretch'))
    assert (laid == 200).all()
    assert laid.shape == (64, 96, 3)
