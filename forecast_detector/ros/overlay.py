"""Pictures of what the detector does, drawn only while somebody subscribes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ..annotate import annotate, heat
from ..topics import CameraTopics
from ..types import Frame, StepResult
from .background import Background
from .conversions import image_message
from .mailbox import Mailbox

JPEG_QUALITY = 80
# Reliable, as best effort loses large images even on one machine.
NEWEST = QoSProfile(depth=1)


@dataclass(frozen=True)
class Scene:
    """
    What is drawn of one image.

    :ivar surprise: what the forecast does not explain, (h, w); None where that is not known.
    """

    frame: Frame
    header: Header
    result: StepResult
    labels: tuple[str, ...]
    surprise: NDArray[np.float32] | None


class Overlay:
    """
    The pictures of one camera.

    ``overlay`` and ``overlay/compressed``: boxes, forecast frames framed in red. ``surprise``:
    what of the picture the forecast does not explain, as heat over the image.
    """

    def __init__(self, node: LifecycleNode, topics: CameraTopics) -> None:
        """Create the publishers."""
        options = QoSOverridingOptions.with_default_policies()
        self.publishers = [
            node.create_lifecycle_publisher(
                kind, topics.beside(name), NEWEST, qos_overriding_options=options
            )
            for kind, name in (
                (Image, 'overlay'), (CompressedImage, 'overlay/compressed'), (Image, 'surprise')
            )
        ]

    @property
    def is_wanted(self) -> bool:
        """Whether somebody subscribes to any of them."""
        return any(publisher.get_subscription_count() for publisher in self.publishers)

    @property
    def wants_surprise(self) -> bool:
        """Whether somebody subscribes to the surprise."""
        return bool(self.publishers[2].get_subscription_count())

    def draw(self, scene: Scene) -> None:
        """
        Draw and publish what somebody subscribes to.

        :raises BadFrameError: for an image that cannot be decoded; the detector may not have
            tried to.
        """
        raw, compressed, surprise = self.publishers
        image = scene.frame.load()
        if raw.get_subscription_count() or compressed.get_subscription_count():
            result = scene.result
            drawn = annotate(image, result.detections, scene.labels, result.decision)
            if raw.get_subscription_count():
                raw.publish(image_message(scene.header, drawn))
            if compressed.get_subscription_count():
                compressed.publish(jpeg_message(scene.header, drawn))
        if scene.surprise is not None:
            surprise.publish(image_message(scene.header, heat(image, scene.surprise)))


def jpeg_message(header: Header, image: NDArray[np.uint8]) -> CompressedImage:
    """
    Build a compressed image message.

    :param image: (H, W, 3), uint8, RGB.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode('.jpg', bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    message = CompressedImage(header=header, format='rgb8; jpeg compressed bgr8')
    message.data = array('B', data.tobytes())
    return message


class Painter(Background):
    """Draws in a thread of its own, the newest image of each camera: steps do not wait for it."""

    name = 'overlay'

    def __init__(
        self, overlays: Mapping[str, Overlay], complain: Callable[[str, Exception], None]
    ) -> None:
        """
        Prepare; :meth:`start` begins.

        :param overlays: of the cameras, by name; looked up when an image is drawn.
        :param complain: given the camera and what went wrong; called in the thread.
        """
        super().__init__()
        self._overlays = overlays
        self._complain = complain
        self._mailbox: Mailbox[Scene] = Mailbox(())

    def add(self, camera: str) -> None:
        """Make room for a camera."""
        self._mailbox.add(camera)

    def remove(self, camera: str) -> None:
        """Drop what waits of a camera."""
        self._mailbox.remove(camera)

    def put(self, camera: str, scene: Scene) -> None:
        """Leave what is to be drawn."""
        self._mailbox.put(camera, scene)

    def _open(self) -> None:
        self._mailbox.open()

    def _close(self) -> None:
        self._mailbox.close()

    def _run(self) -> None:
        while scenes := self._mailbox.take():
            for camera, scene in scenes.items():
                if overlay := self._overlays.get(camera):
                    try:
                        overlay.draw(scene)
                    except Exception as error:  # a picture must not cost the others theirs
                        self._complain(camera, error)
