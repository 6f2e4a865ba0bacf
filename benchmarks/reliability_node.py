"""
Fuzz, soak and overload the node through ROS; what is found is printed as JSON.

    scripts/ros_env .venv/bin/python benchmarks/reliability_node.py fuzz --count 20000
    scripts/ros_env .venv/bin/python benchmarks/reliability_node.py soak --count 108000
    scripts/ros_env .venv/bin/python benchmarks/reliability_node.py load --seconds 180

``fuzz`` sends hostile images, bytes that are no messages, and requests for parameters, and looks
whether one image is answered as before; a bare subscriber gets the same messages, and its memory
is compared. ``soak`` has as many images answered as a camera of 30 Hz sends in an hour, one after
the other, while another camera comes and goes, and compares memory. ``load`` has four cameras at
30 Hz each in a process of their own, and calls services from another all the while; with
``--no-calls`` nobody calls, and ``--p`` and ``--threads`` are the node's.
"""

from __future__ import annotations

import argparse
from array import array
from collections.abc import Sequence
import json
from pathlib import Path
import sys
import tempfile
import time
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / 'test'))

from beside import beside, resident_mb  # noqa: E402
from hostile import IMAGE, messages, parameters  # noqa: E402
import numpy as np  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterValue  # noqa: E402
from rcl_interfaces.srv import GetParameters, SetParameters  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from reliability_load import load  # noqa: E402
from reliability_soak import soak  # noqa: E402
from ros.graph import Camera, Graph, make_image, wait_until  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from forecast_detector.ros.parameters import PARAMETERS  # noqa: E402

FIELDS = {1: 'bool_value', 2: 'integer_value', 3: 'double_value', 4: 'string_value',
          7: 'integer_array_value', 9: 'string_array_value'}
SAMPLES = 10
# Rounds before memory is compared.
WARM_UP = 20
TOPICS = ['/front/image_raw', '/rear/image_raw/compressed']


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


def damaged(random: np.random.Generator, good: bytes) -> bytes:
    """Cut a message off somewhere and change some of its first bytes."""
    data = bytearray(good[:int(random.integers(1, len(good)))])
    for place in random.integers(0, min(len(data), 100), 4):
        data[place] = int(random.integers(256))
    return bytes(data)


def answer(graph: Graph, camera: Camera) -> list[tuple[float, ...]]:
    """Detect on one image, always the same, from nothing."""
    assert graph.call(Trigger, '/detector/reset', Trigger.Request()).success
    image = make_image(5)
    image.header.stamp = camera.next_image().header.stamp
    return [
        (d.bbox.center.position.x, d.bbox.size_y, d.results[0].hypothesis.score)
        for d in camera.ask(image)[0].detections
    ]


def warm_up(cameras: Sequence[Camera]) -> None:
    """Have images answered alone and together: of each number of rows steps take memory once."""
    for _ in range(WARM_UP):
        # While the first is answered the others wait, and come together then.
        for camera in (*cameras, *cameras, *cameras):
            camera.send()
        time.sleep(0.1)
    time.sleep(1.0)


class Values:
    """The parameters of the node that can be set, to be asked for and set back."""

    def __init__(self, graph: Graph) -> None:
        """Ask for their values."""
        self._graph = graph
        self.names = [name for name in PARAMETERS if PARAMETERS[name].fixed is None]
        self._values = graph.call(
            GetParameters, '/detector/get_parameters', GetParameters.Request(names=self.names),
        ).values

    def request(self, name: str, kind: int, value: Any) -> bool:
        """Ask for a value, whatever it is; say whether it was taken."""
        field = {FIELDS[kind]: value} if value is not None else {}
        return self._set(name.replace('\0', '?'), ParameterValue(type=kind, **field))

    def restore(self) -> None:
        """Set all of them back."""
        assert all(map(self._set, self.names, self._values))

    def _set(self, name: str, value: ParameterValue) -> bool:
        request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
        one, = self._graph.call(SetParameters, '/detector/set_parameters', request).results
        return bool(one.successful)


def fuzz(graph: Graph, weights: str, count: int, seed: int) -> dict[str, Any]:
    """
    Send what is hostile: half of it images, a quarter bytes, a quarter requests.

    :returns: among others memory, as it was at the beginning and after each tenth.
    """
    child = graph.detector(
        weights=weights, image_topics=TOPICS, p=1.0, score_threshold=0.0, max_gap_s=0.0)
    cameras = [Camera(graph, topic) for topic in TOPICS]
    front, rear = cameras
    for camera in cameras:
        camera.wait_for_detector()
    values, expected = Values(graph), answer(graph, front)
    random, good = np.random.default_rng(seed), bytes(serialize_message(make_image(1)))
    wanted, refused = parameters(seed, count, values.names), 0
    with beside('bare.py', *TOPICS) as bare:
        for camera in cameras:
            wait_until(lambda: camera.subscribers() == 2, 'the bare subscriber')  # noqa: B023
        warm_up(cameras)
        sizes_mb = []
        for number, (kind, fields) in enumerate(messages(seed, count)):
            if number % max(1, count // SAMPLES) == 0:
                sizes_mb.append((resident_mb(child.pid), bare.memory_mb))
            if number % 4 == 2:
                front.send_bytes(damaged(random, good))
            elif number % 4 == 3:
                refused += not values.request(*next(wanted))
            else:
                (front if kind == IMAGE else rear).send(message_of(kind, fields))
        time.sleep(2.0)
        values.restore()
        front.stamp_ns += 10 ** 12
        found = answer(graph, front)
        sizes_mb.append((resident_mb(child.pid), bare.memory_mb))
    return {
        'messages_and_requests': count, 'seed': seed, 'requests_refused': refused,
        'same_answer': found == expected and bool(expected), 'state': graph.state(),
        'node_mb': [node_mb for node_mb, _ in sizes_mb],
        'bare_mb': [bare_mb for _, bare_mb in sizes_mb],
        'bare_got': bare.number,
        'log_lines': len(child.log.read_text(errors='replace').splitlines()),
    }


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=('fuzz', 'soak', 'load'))
    parser.add_argument('--count', type=int, help='20000 of a fuzz, 108000 of a soak')
    parser.add_argument(
        '--seconds', type=float, help='of a load: 180; a soak may be given a limit')
    parser.add_argument('--rate', type=float, default=30.0, help='Hz of a camera of a load')
    parser.add_argument('--no-calls', action='store_true', help='of a load')
    parser.add_argument('--p', type=float, default=0.5, help='of a load')
    parser.add_argument('--policy', default='auto', help='of a load')
    parser.add_argument('--read-every', type=int, default=2, help='of a load, for --policy flow')
    parser.add_argument(
        '--forecasts', type=int, default=0, help='in a row, at most, of a load; 0 is no limit')
    parser.add_argument('--threads', type=int, default=1, help='cpu_threads in a load')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--weights', default='synthetic')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Graph(Path(folder)) as graph:
        if options.what == 'load':
            node = {'weights': options.weights, 'p': options.p, 'policy': options.policy,
                    'max_consecutive_forecasts': options.forecasts,
                    'read_every': options.read_every,
                    'cpu_threads': options.threads}
            print(json.dumps(load(
                graph, node, options.seconds or 180.0, options.rate, not options.no_calls)))
            return 0
        if options.what == 'soak':
            count, seconds = options.count or 108_000, options.seconds or float('inf')
            print(json.dumps(soak(graph, options.weights, count, seconds)))
            return 0
        found = fuzz(graph, options.weights, options.count or 20_000, options.seed)
        print(json.dumps(found))
        return int(not found['same_answer'])


if __name__ == '__main__':
    sys.exit(main())
