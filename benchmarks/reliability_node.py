"""
Fuzz the node, and load it beyond what it can do, through ROS; what is found is printed as JSON.

    scripts/ros_env .venv/bin/python benchmarks/reliability_node.py fuzz --count 20000
    scripts/ros_env .venv/bin/python benchmarks/reliability_node.py load --seconds 180

``fuzz`` sends hostile images, bytes that are no messages, and requests for parameters, and looks
whether one image is answered as before. ``load`` has four cameras at 30 Hz each, and asks for a
parameter all the while.
"""

from __future__ import annotations

import argparse
from array import array
import json
from pathlib import Path
import sys
import tempfile
import time
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / 'test'))

from hostile import IMAGE, messages, parameters  # noqa: E402
import numpy as np  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterValue  # noqa: E402
from rcl_interfaces.srv import GetParameters, SetParameters  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from ros.graph import Camera, Graph, make_image, wait_until  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from forecast_detector.ros.parameters import PARAMETERS  # noqa: E402

FIELDS = {1: 'bool_value', 2: 'integer_value', 3: 'double_value', 4: 'string_value',
          7: 'integer_array_value', 9: 'string_array_value'}
TOPICS = ['/front/image_raw', '/rear/image_raw/compressed']
# Those that a run sets back before it looks at the answers.
KEPT: dict[str, Any] = {
    'p': 1.0, 'policy': 'scheduler', 'score_threshold': 0.0, 'nms_iou': 0.5, 'max_gap_s': 0.0,
    'max_detections': 100, 'max_age_s': 0.0, 'max_pixels': 64_000_000, 'reset_on_time_jump': True,
    'use_sim_time': False,
}


def resident_mb(pid: int) -> float:
    """Read the memory that a process has now."""
    return int(Path(f'/proc/{pid}/statm').read_text().split()[1]) * 4096 / 1e6


def message_of(kind: str, fields: Any) -> Image | CompressedImage:
    """Make a message of the fields that it can have."""
    header = fields.header
    if kind == IMAGE:
        made: Image | CompressedImage = Image(
            height=fields.height, width=fields.width, step=fields.step,
            encoding=fields.encoding.encode(errors='replace').decode().replace('\0', '?'),
            is_bigendian=fields.is_bigendian)
    else:
        made = CompressedImage(
            format=fields.format.encode(errors='replace').decode().replace('\0', '?'))
    made.data = array('B', fields.data.tobytes())
    made.header.stamp.sec, made.header.stamp.nanosec = header.stamp.sec, header.stamp.nanosec
    made.header.frame_id = header.frame_id.encode(errors='replace').decode().replace('\0', '?')
    return made


def answer(graph: Graph, camera: Camera) -> list[tuple[float, ...]]:
    """Detect on one image, always the same, from nothing."""
    assert all(one.successful for one in graph.set(**KEPT))
    assert graph.call(Trigger, '/detector/reset', Trigger.Request()).success
    image = make_image(5)
    image.header.stamp = camera.next_image().header.stamp
    return [
        (d.bbox.center.position.x, d.bbox.size_y, d.results[0].hypothesis.score)
        for d in camera.ask(image)[0].detections
    ]


def fuzz(graph: Graph, weights: str, count: int, seed: int) -> dict[str, Any]:
    """Send what is hostile: half of it images, a quarter bytes, a quarter requests."""
    child = graph.detector(weights=weights, image_topics=TOPICS)
    cameras = {IMAGE: Camera(graph, TOPICS[0]), '': Camera(graph, TOPICS[1])}
    front = cameras[IMAGE]
    front.wait_for_detector()
    expected, random = answer(graph, front), np.random.default_rng(seed)
    before_mb, good = resident_mb(child.pid), bytes(serialize_message(make_image(1)))
    names = [name for name in PARAMETERS if PARAMETERS[name].fixed is None]
    wanted = parameters(seed, count, names)
    refused = 0
    for number, (kind, fields) in enumerate(messages(seed, count)):
        if number % 4 == 2:
            data = bytearray(good[:int(random.integers(1, len(good)))])
            for place in random.integers(0, min(len(data), 100), 4):
                data[place] = int(random.integers(256))
            front.send_bytes(bytes(data))
        elif number % 4 == 3:
            name, number_of, value = next(wanted)
            field = {FIELDS[number_of]: value} if value is not None else {}
            request = Parameter(name=name.replace('\0', '?'),
                                value=ParameterValue(type=number_of, **field))
            results = graph.call(SetParameters, '/detector/set_parameters',
                                 SetParameters.Request(parameters=[request])).results
            refused += not results[0].successful
        else:
            cameras[kind if kind == IMAGE else ''].send(message_of(kind, fields))
    time.sleep(2.0)
    front.stamp_ns += 10 ** 12
    found = {
        'messages_and_requests': count, 'seed': seed, 'requests_refused': refused,
        'same_answer': answer(graph, front) == expected and bool(expected),
        'state': graph.state(), 'grown_mb': round(resident_mb(child.pid) - before_mb, 1),
        'log_lines': len(child.log.read_text(errors='replace').splitlines()),
    }
    return found


def load(graph: Graph, weights: str, seconds: float) -> dict[str, Any]:
    """Send four cameras' images faster than they can be answered."""
    topics = [f'/c{k}/image_raw' for k in range(4)]
    child = graph.detector(weights=weights, image_topics=topics)
    cameras = [Camera(graph, topic) for topic in topics]
    cameras[0].wait_for_detector()
    request = GetParameters.Request(names=['p'])
    client = graph.node.create_client(GetParameters, '/detector/get_parameters')
    wait_until(client.service_is_ready, 'the service')
    begin_s, calls_ms, ages_ms, sent = time.monotonic(), [], [], {}
    images = [make_image(k, (640, 480)) for k in range(4)]
    number, seen = 0, 0
    while time.monotonic() - begin_s < seconds:
        number += 1
        for camera, image in zip(cameras, images):
            image.header.stamp.sec, image.header.stamp.nanosec = divmod(number * 33_333_333, 10**9)
            camera.send(image)
        sent[number * 33_333_333] = time.monotonic()
        if number % 10 == 0:
            asked_s = time.monotonic()
            future = client.call_async(request)
            while not future.done():
                time.sleep(0.0005)
            calls_ms.append((time.monotonic() - asked_s) * 1e3)
        for stamp_ns in cameras[0].order[seen:]:
            if stamp_ns in sent:
                ages_ms.append((time.monotonic() - sent[stamp_ns]) * 1e3)
        seen = len(cameras[0].order)
        time.sleep(max(0.0, begin_s + number / 30 - time.monotonic()))
    half = len(ages_ms) // 2
    return {
        'seconds': seconds, 'sent': 4 * number, 'answered': sum(len(c.order) for c in cameras),
        'age_ms_p50_first_half': round(float(np.median(ages_ms[:half])), 1),
        'age_ms_p50_second_half': round(float(np.median(ages_ms[half:])), 1),
        'age_ms_most': round(max(ages_ms), 1),
        'parameter_call_ms_p50': round(float(np.median(calls_ms)), 1),
        'parameter_call_ms_p95': round(float(np.percentile(calls_ms, 95)), 1),
        'parameter_call_ms_most': round(max(calls_ms), 1),
        'memory_mb': round(resident_mb(child.pid), 1),
    }


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=('fuzz', 'load'))
    parser.add_argument('--count', type=int, default=20_000)
    parser.add_argument('--seconds', type=float, default=180.0)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--weights', default='synthetic')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Graph(Path(folder)) as graph:
        if options.what == 'load':
            print(json.dumps(load(graph, options.weights, options.seconds)))
            return 0
        found = fuzz(graph, options.weights, options.count, options.seed)
        print(json.dumps(found))
        return int(not found['same_answer'])


if __name__ == '__main__':
    sys.exit(main())
