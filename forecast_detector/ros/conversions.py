"""Between ROS messages and the package's own types."""

from __future__ import annotations

from array import array
from functools import partial

from builtin_interfaces.msg import Time
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import (
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesisWithPose,
    VisionClass,
)

from forecast_detector.msg import ForecastDecision

from ..images import (
    check_frame_id,
    check_image_layout,
    decode_compressed,
    decode_image,
    pixels_claimed,
)
from ..legible import legible
from ..limits import LARGE_PIXELS, MAX_PIXELS
from ..types import BadFrameError, Decision, Detections, Frame

NS = 1_000_000_000


def to_ns(stamp: Time) -> int:
    """Turn a ROS time into nanoseconds."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def from_ns(stamp_ns: int) -> Time:
    """Turn nanoseconds into a ROS time."""
    return Time(sec=stamp_ns // NS, nanosec=stamp_ns % NS)


def frame_from_message(
    message: Image | CompressedImage, max_pixels: int = MAX_PIXELS
) -> Frame:
    """
    Wrap an image message; its pixels are decoded if and when it is READ.

    The package's own decoder is used: it minds ``step``, which cv_bridge ignores in releases in
    use, and replaying a bag without ROS decodes to the same pixels. A test compares both.

    :param max_pixels: an image that claims more is refused before anything is allocated.
    :raises BadFrameError: if the message's fields contradict each other, or one is huge.
    """
    header, data = message.header, memoryview(message.data)
    check_frame_id(header.frame_id)
    stamp_ns = to_ns(header.stamp)
    if isinstance(message, CompressedImage):
        if not len(data):
            raise BadFrameError(
                f"compressed image '{legible(message.format)}' has no data; check the publisher"
            )
        return Frame(
            stamp_ns,
            partial(decode_compressed, message.format, data, max_pixels),
            frame_id=header.frame_id,
            encoding=message.format,
        )
    layout = (message.encoding, message.width, message.height, message.step)
    check_image_layout(*layout, len(data), max_pixels)
    return Frame(
        stamp_ns,
        partial(decode_image, *layout, message.is_bigendian, data, max_pixels),
        (message.width, message.height),
        header.frame_id,
        message.encoding,
    )


def is_large(message: Image | CompressedImage) -> bool:
    """Say whether a compressed image takes long to decode; a raw one never does."""
    if not isinstance(message, CompressedImage):
        return False
    return pixels_claimed(memoryview(message.data)) > LARGE_PIXELS


def detections_message(
    header: Header, detections: Detections, labels: tuple[str, ...]
) -> Detection2DArray:
    """
    Build the message of one frame; without detections its array is empty.

    :param header: the image's, used as it is.
    :param labels: class names of the weights; ``class_id`` is the name.
    """
    message = Detection2DArray(header=header)
    # In double precision, as bags are written: corners come back as they were, to the last bit.
    ids = [''] * len(detections) if detections.ids is None else map(str, detections.ids.tolist())
    for (x0, y0, x1, y1), score, label, number in zip(
        detections.boxes.tolist(), detections.scores.tolist(), detections.labels.tolist(), ids,
        strict=True,
    ):
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = labels[label]
        result.hypothesis.score = score
        detection = Detection2D(header=header, results=[result], id=number)
        detection.bbox.center.position.x = (x0 + x1) / 2
        detection.bbox.center.position.y = (y0 + y1) / 2
        detection.bbox.size_x = x1 - x0
        detection.bbox.size_y = y1 - y0
        message.detections.append(detection)
    return message


def decision_message(header: Header, decision: Decision) -> ForecastDecision:
    """
    Build the message that says why a frame was READ or FORECAST.

    :param header: the image's, used as it is.
    """
    return ForecastDecision(
        header=header,
        action=int(decision.action),
        reason=int(decision.reason),
        reason_detail=decision.reason_detail,
        confidence=float(decision.confidence),
        threshold=float(decision.threshold),
        frames_since_read=int(decision.frames_since_read),
        last_read_stamp=from_ns(decision.last_read_stamp_ns),
        inference_ms=float(decision.inference_ms),
    )


def label_info_message(labels: tuple[str, ...], score_threshold: float) -> LabelInfo:
    """Build the list of class names. It belongs to no image: its header stays empty."""
    classes = [VisionClass(class_id=i, class_name=name) for i, name in enumerate(labels)]
    return LabelInfo(class_map=classes, threshold=float(score_threshold))


def image_message(header: Header, image: NDArray[np.uint8]) -> Image:
    """
    Build an image message.

    :param image: (H, W, 3), uint8, RGB.
    """
    height, width = image.shape[:2]
    message = Image(header=header, height=height, width=width, encoding='rgb8', step=3 * width)
    message.data = array('B', image.tobytes())  # rclpy checks any other type byte by byte
    return message
