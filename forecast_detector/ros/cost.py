"""
What messages cost the node beside the model: in, decoded, and out again.

``python -m forecast_detector.ros.cost FRAMES`` prints it as JSON, for ``forecast-detector
benchmark``. No other process takes part: an image message is taken apart as the subscription
does, its pixels are decoded, and detections and decision are made and laid out for the wire. Where
weights peek, a FORECAST decodes its image as a READ does: there is one figure for both.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from ..benchmark.clock import Clock
from ..benchmark.pictures import pan
from ..records.benchmark import NodeCost
from ..records.codec import to_plain
from ..types import Action, Decision, Detections, Reason
from .conversions import decision_message, detections_message, frame_from_message, image_message

SIZE = (640, 480)
# So many objects are found in each image.
OBJECTS = 12


def measure(frames: int) -> NodeCost:
    """Measure."""
    clock, data = Clock(), [
        serialize_message(image_message(Header(frame_id='camera'), image)) for image in pan(SIZE)
    ]
    boxes = np.tile(np.array([[10, 20, 110, 220]], np.float32), (OBJECTS, 1))
    found = Detections(boxes, np.full(OBJECTS, 0.5, np.float32), np.zeros(OBJECTS, np.int64))
    for index in range(frames):
        with clock.measure('message'):
            message = deserialize_message(data[index % len(data)], Image)
            frame_from_message(message).load()
            decision = Decision(Action.FORECAST, Reason.SCHEDULER, 0.8, '', 0.9, 1, 1, 5.0)
            serialize_message(detections_message(message.header, found, ('object',)))
            serialize_message(decision_message(message.header, decision))
    return NodeCost(clock.times('message'))


if __name__ == '__main__':
    print(json.dumps(to_plain(measure(int(sys.argv[1])))))
