"""What the camera node plays: the synthetic world, a video, a camera, the images of a bag."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
import logging
from pathlib import Path
import time
from typing import Any, Protocol

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from ..bags import BagReader, MessageError, Record
from ..bags.finding import is_bag
from ..bags.messages import COMPRESSED_IMAGE, stamp_to_ns
from ..data.base import Clip, Truth
from ..data.camera import is_camera, next_image, open_camera
from ..data.synthetic import load_synthetic
from ..data.video import VideoClip
from ..demo.source import SYNTHETIC
from ..images import decode_compressed
from ..ros.conversions import detections_message, from_ns, image_message, to_ns
from ..types import BadFrameError, Detections

_logger = logging.getLogger(__name__)
# A scene takes as much ground, and time to draw it, as the camera passes over.
SYNTHETIC_FRAMES, LONGEST_SCENE = 150, 300


@dataclass(frozen=True)
class Shot:
    """
    One image to publish.

    :ivar after_s: when, counted from the first image at the source's own rate, seconds.
    :ivar truth: what is to be seen; None where that is unknown.
    """

    after_s: float
    image: Image
    truth: Detection2DArray | None = None


def delayed(shot: Shot, delay_s: float) -> Shot:
    """Stamp an image, and its truth, as much later as it is late."""
    stamp = from_ns(to_ns(shot.image.header.stamp) + round(delay_s * 1e9))
    shot.image.header.stamp = stamp
    if shot.truth is not None:
        shot.truth.header.stamp = stamp
        for detection in shot.truth.detections:
            detection.header.stamp = stamp
    return shot


def truth_message(header: Header, truth: Truth, labels: tuple[str, ...]) -> Detection2DArray:
    """Build the message of what is to be seen: score 1, the object's track as id."""
    scores = np.ones(len(truth), np.float32)
    message = detections_message(header, Detections(truth.boxes, scores, truth.labels), labels)
    for detection, track in zip(message.detections, truth.tracks):
        detection.id = '' if track < 0 else str(track)
    return message


class Playable(Protocol):
    """Something that can be played."""

    def shots(self, start_ns: int) -> Iterator[Shot]:
        """
        Play from the beginning.

        :param start_ns: stamp of the first image, where the source has no stamps of its own.
        """


@dataclass(frozen=True)
class ClipSource:
    """
    Plays a clip.

    :ivar labels: class names of its truth; None where it has no truth.
    :ivar rate_hz: images a second; 0 is the clip's own rate.
    """

    clip: Clip
    labels: tuple[str, ...] | None
    frame_id: str
    rate_hz: float = 0.0

    def shots(self, start_ns: int) -> Iterator[Shot]:
        """Play; the stamps follow from the rate, or keep the distances of the clip's own."""
        for index in self.clip.walk():
            after_s = index / self.rate_hz if self.rate_hz else (
                self.clip.stamp_ns(index) - self.clip.stamp_ns(0)) / 1e9
            header = Header(stamp=from_ns(start_ns + round(after_s * 1e9)), frame_id=self.frame_id)
            try:
                image = image_message(header, self.clip.read(index))
            except BadFrameError:
                if index == 0:
                    raise
                continue  # a frame that cannot be decoded
            truth = None
            if self.labels:
                truth = truth_message(header, self.clip.truth(index), self.labels)
            yield Shot(after_s, image, truth)


@dataclass(frozen=True)
class BagSource:
    """
    Plays the images of a bag; their headers stay as they were recorded.

    :ivar topic: of the images.
    :ivar rate_hz: images a second; 0 is the recorded rate.
    """

    path: Path
    topic: str
    rate_hz: float = 0.0

    def shots(self, start_ns: int) -> Iterator[Shot]:
        """
        Play; raw images go out as they are, compressed ones as ``rgb8``.

        Messages that cannot be read are named and passed over.

        :raises BagError: if the bag cannot be read.
        """
        with BagReader(self.path) as bag:
            kind, first_ns = bag.topics[self.topic], None
            messages = bag.messages(self.topic, on_broken=_tell_broken)
            for index, (time_ns, message) in enumerate(messages):
                first_ns = time_ns if first_ns is None else first_ns
                after_s = index / self.rate_hz if self.rate_hz else (time_ns - first_ns) / 1e9
                yield Shot(after_s, recorded_image(message, kind))


@dataclass(frozen=True)
class LiveSource:
    """Plays a camera of this machine until it is stopped, stamped as the images come."""

    path: Path
    frame_id: str

    def shots(self, start_ns: int) -> Iterator[Shot]:
        """
        Play.

        :raises OSError: if the camera cannot be used, or gives no more images.
        """
        begin_s = time.monotonic()
        capture = open_camera(self.path)
        try:
            while True:
                image = next_image(capture, self.path)
                after_s = time.monotonic() - begin_s
                stamp = from_ns(start_ns + round(after_s * 1e9))
                yield Shot(after_s, image_message(Header(stamp=stamp, frame_id=self.frame_id),
                                                  image))
        finally:
            capture.release()


def _tell_broken(record: Record, error: MessageError) -> None:
    _logger.warning('passed over: %s', error)


def recorded_image(message: Any, kind: str) -> Image:
    """
    Turn a bag's image message into a ROS message.

    :raises BadFrameError: for a compressed image that cannot be decoded.
    """
    stamp_ns = stamp_to_ns(message.header.stamp)
    header = Header(stamp=from_ns(stamp_ns), frame_id=message.header.frame_id)
    if kind == COMPRESSED_IMAGE:
        return image_message(header, decode_compressed(message.format, message.data))
    return Image(
        header=header,
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        is_bigendian=message.is_bigendian,
        step=message.step,
        data=array('B', message.data.tobytes()),
    )


def synthetic_source(frames: int, seed: int, frame_id: str, rate_hz: float) -> ClipSource:
    """Make the demo's world, with a cut to another scene in its middle; a long one has more."""
    length = frames or SYNTHETIC_FRAMES
    cut = min(max(1, (length + 1) // 2), LONGEST_SCENE)
    world = load_synthetic('demo', seed + 1, length, cut_every=cut)
    clip = world.clips[seed]
    for index in (0, min(cut, length - 1)):
        clip.read(index)  # draws the scenes now, which takes longer than a frame has
    return ClipSource(clip, world.labels, frame_id, rate_hz)


def open_source(
    source: str, frame_id: str, frames: int, rate_hz: float, seed: int, topic: str
) -> Playable:
    """
    Open a source.

    :param source: ``synthetic``, a video file, a camera, or the folder or file of a bag.
    :param topic: image topic of the bag; '' takes its only one.
    :raises FileNotFoundError: if there is no such file.
    :raises ValueError: if it cannot be played; for a rate of a camera.
    """
    path = Path(source)
    if source == SYNTHETIC:
        return synthetic_source(frames, seed, frame_id, rate_hz)
    if is_camera(path):
        if rate_hz:
            raise ValueError(f'rate_hz: {rate_hz:g}, but {path} has its own rate; leave it at 0')
        return LiveSource(path, frame_id)
    if is_bag(path):
        with BagReader(path) as bag:
            topic = bag.image_topic(topic or None)
        return BagSource(path, topic, rate_hz)
    return ClipSource(VideoClip(path), None, frame_id, rate_hz)
