"""A large picture is decoded beside the steps: only its own camera waits for it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
import time
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: run `make test`')
pytest.importorskip('forecast_detector.msg', reason='messages not built: run `make test`')

from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from forecast_detector.limits import LARGE_PIXELS  # noqa: E402
from forecast_detector.ros.camera import Waiting  # noqa: E402
from forecast_detector.ros.conversions import is_large  # noqa: E402
from forecast_detector.ros.large import decoded, LargePictures  # noqa: E402
from forecast_detector.ros.mailbox import Mailbox  # noqa: E402
from forecast_detector.ros.worker import Worker  # noqa: E402
from forecast_detector.types import BadFrameError, Frame  # noqa: E402

from .graph import Camera, Graph, wait_until  # noqa: E402

SMALL = np.zeros((4, 6, 3), np.uint8)


def waiting(stamp_ns: int, load: Callable[[], Any], large: bool = False) -> Waiting:
    return Waiting(Frame(stamp_ns, load), Header(), time.monotonic(), large)


class Stepped:
    """A worker whose steps load every image, two cameras and a picture that is being decoded."""

    def __init__(self) -> None:
        self.mailbox: Mailbox[Waiting] = Mailbox(['large', 'good'])
        self.answers: list[tuple[str, int, str]] = []
        self.decoding, self.may_end = Event(), Event()
        self.worker = Worker(
            self,
            self.mailbox,
            lambda camera, waiting: False,
            lambda camera, waiting, outcome: self.answers.append(
                (camera, waiting.frame.stamp_ns, str(outcome))),
            lambda taken, error: self.answers.append((*taken, -1, repr(error))),
            LargePictures(self.mailbox).put,
        )

    def step(self, frames: dict[str, Frame]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for camera, frame in frames.items():
            try:
                found[camera] = frame.load().shape
            except BadFrameError as error:
                found[camera] = error
        return found

    def slow(self) -> Any:
        self.decoding.set()
        assert self.may_end.wait(30)
        return SMALL

    def ask_good(self, stamp_ns: int) -> None:
        self.mailbox.put('good', waiting(stamp_ns, lambda: SMALL))
        wait_until(lambda: ('good', stamp_ns, str(SMALL.shape)) in self.answers, 'the good camera')

    def of_large(self) -> list[tuple[int, str]]:
        return [(stamp, said) for camera, stamp, said in self.answers if camera == 'large']


@pytest.fixture
def stepped() -> Iterator[Stepped]:
    made = Stepped()
    made.worker.start()
    yield made
    made.may_end.set()
    made.worker.stop()


def test_others_are_answered_while_a_large_picture_is_decoded(stepped: Stepped) -> None:
    stepped.mailbox.put('large', waiting(1, stepped.slow, True))
    assert stepped.decoding.wait(30)
    for stamp_ns in range(1, 11):
        stepped.ask_good(stamp_ns)
        stepped.mailbox.put('large', waiting(1 + stamp_ns, lambda: SMALL))
    assert stepped.of_large() == []  # nor does a later one overtake it
    assert stepped.mailbox.counters['large'].dropped == 9  # only the newest is kept
    stepped.may_end.set()
    wait_until(lambda: len(stepped.of_large()) == 2, 'the large camera')
    assert [stamp for stamp, _ in stepped.of_large()] == [1, 11]


def test_it_is_decoded_once_and_what_fails_there_fails_in_the_step(stepped: Stepped) -> None:
    loads: list[int] = []

    def load() -> Any:
        loads.append(1)
        raise BadFrameError('is cut')

    stepped.mailbox.put('large', waiting(1, load, True))
    wait_until(lambda: stepped.of_large() == [(1, 'is cut')], 'its failure')
    assert loads == [1]
    again = decoded(load)
    with pytest.raises(BadFrameError, match='is cut') as caught:
        again()
    assert [entry.name for entry in caught.traceback][1:] == ['fail']  # holds no array of it


def test_stopping_does_not_wait_for_it_and_drops_it(stepped: Stepped) -> None:
    stepped.mailbox.put('large', waiting(1, stepped.slow, True))
    assert stepped.decoding.wait(30)
    stepped.mailbox.put('large', waiting(2, lambda: SMALL))
    stepped.worker.stop()  # returns while it is decoded
    assert stepped.mailbox.counters['large'].dropped == 2
    stepped.worker.start()
    stepped.may_end.set()
    stepped.mailbox.put('large', waiting(3, lambda: SMALL))
    wait_until(lambda: [stamp for stamp, _ in stepped.of_large()] == [3], 'the newer one alone')


def test_two_large_pictures_are_decoded_one_after_the_other(stepped: Stepped) -> None:
    began: list[int] = []
    stepped.mailbox.put('large', waiting(1, stepped.slow, True))
    assert stepped.decoding.wait(30)
    stepped.mailbox.put('good', waiting(2, lambda: began.append(2) or SMALL, True))
    wait_until(lambda: 'good' in stepped.mailbox._held, 'its turn')
    assert not began
    stepped.may_end.set()
    wait_until(lambda: len(stepped.answers) == 2, 'both')
    assert began == [2]


def test_a_camera_that_goes_takes_its_picture_along(stepped: Stepped) -> None:
    stepped.mailbox.put('large', waiting(1, stepped.slow, True))
    assert stepped.decoding.wait(30)
    stepped.mailbox.remove('large')
    stepped.mailbox.add('large')
    stepped.may_end.set()
    stepped.mailbox.put('large', waiting(2, lambda: SMALL))
    wait_until(lambda: [stamp for stamp, _ in stepped.of_large()] == [2], 'the new camera')


def png(width: int, height: int) -> bytes:
    """Make a black picture of one bit a pixel: a few KB, whatever its size."""
    black = np.zeros((height, width), np.uint8)
    return cv2.imencode('.png', black, (cv2.IMWRITE_PNG_BILEVEL, 1))[1].tobytes()


def test_headers_tell_what_is_large() -> None:
    head = png(2000, 1500)
    assert LARGE_PIXELS == 2000 * 1500

    def compressed(data: bytes) -> CompressedImage:
        return CompressedImage(format='png', data=array('B', data))

    assert not is_large(compressed(head)) and is_large(compressed(png(2001, 1500)))
    assert not is_large(compressed(b'')) and not is_large(compressed(b'no picture'))
    assert not is_large(Image(width=9000, height=9000))


def test_the_node_answers_a_camera_beside_one_of_large_pictures(
    graph: Graph, tiny_weights: Path
) -> None:
    topics = ['/front/image_raw', '/rear/image_raw/compressed']
    graph.detector(weights=str(tiny_weights), image_topics=topics)
    good, large = (Camera(graph, topic) for topic in topics)
    good.wait_for_detector()
    large.wait_for_detector()
    data = array('B', png(5000, 5000))
    assert len(data) < 20_000

    def picture() -> CompressedImage:
        image = good.next_image()
        return CompressedImage(header=image.header, format='png', data=data)

    for _ in range(5):
        large.send(picture())
        good.ask()
    large.ask(picture())
