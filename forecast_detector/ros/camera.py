"""One camera of the node: its subscription, its two publishers, its bad images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from forecast_detector.msg import ForecastDecision

from ..legible import line
from ..topics import CameraTopics
from ..types import Detections, Frame, StepFailure, StepResult
from .conversions import (
    decision_message,
    detections_message,
    frame_from_message,
    from_ns,
    is_large,
)
from .expected import NextStamp
from .health import CameraHealth
from .image_thread import ImageThread
from .image_types import COMPRESSED, Offer, RAW
from .mailbox import Mailbox
from .overlay import Overlay
from .qos import result_qos
from .subscription import ImageSubscription
from .throttle import Throttle


@dataclass(frozen=True)
class Waiting:
    """
    A frame on its way to the detector.

    :ivar header: the image's; results carry it as it is.
    :ivar received_s: when it came, monotonic seconds.
    :ivar is_large: whether it is to be decoded before it joins a step.
    """

    frame: Frame
    header: Header
    received_s: float
    is_large: bool = False


class Camera:
    """Takes the images of one topic to the mailbox and the results back to the graph."""

    def __init__(
        self,
        node: LifecycleNode,
        topics: CameraTopics,
        mailbox: Mailbox[Waiting],
        lossless: bool,
        images: ImageThread,
    ) -> None:
        """
        Create the publishers; images are subscribed to by :meth:`open`.

        :param images: where they are taken.
        """
        self.topics = topics
        self.health = CameraHealth(topics.image, mailbox.counters[topics.image])
        self._expected = Offer(COMPRESSED if topics.compressed else RAW)
        self._node = node
        self._mailbox = mailbox
        self._lossless = lossless
        self._images = images
        self._subscription: ImageSubscription | None = None
        self._complaints = Throttle()
        self.overlay = Overlay(node, topics)
        options = QoSOverridingOptions.with_default_policies()
        self._publishers = [
            node.create_lifecycle_publisher(
                kind, topic, result_qos(lossless), qos_overriding_options=options
            )
            for kind, topic in (
                (Detection2DArray, topics.detections),
                (ForecastDecision, topics.decision),
                (Detection2DArray, topics.beside('anticipated_detections')),
            )
        ]
        self._next_stamp = NextStamp()

    @property
    def result_topics(self) -> list[str]:
        """Where detections and decisions go, as remapped."""
        return [str(publisher.topic_name) for publisher in self._publishers[:2]]

    def open(self) -> None:
        """Subscribe to the images."""
        self._images.do(self._subscribe)

    def _subscribe(self) -> None:
        self.health.start(self._expected)
        self._subscription = ImageSubscription(
            self._node,
            self.topics,
            self._lossless,
            self._on_image,
            self._on_incompatible_qos,
            self._on_offer,
            self.health.saw_arrival,
            self._images.group,
        )

    def close(self) -> None:
        """Unsubscribe; images that still arrive are not taken."""
        self._images.do(self._unsubscribe)

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._subscription.destroy()
            self._subscription = None

    def destroy(self) -> None:
        """Unsubscribe and take the publishers out of the graph."""
        self.close()
        for publisher in self._all_publishers():
            self._node.destroy_lifecycle_publisher(publisher)

    def enable(self) -> None:
        """Let publish what came into being while the node is active: no transition does."""
        for publisher in self._all_publishers():
            publisher.on_activate(None)

    def _all_publishers(self) -> list[Any]:
        return [*self._publishers, *self.overlay.publishers]

    def deliver(
        self, waiting: Waiting, outcome: StepResult | StepFailure, labels: tuple[str, ...]
    ) -> None:
        """Publish what a step gave for a frame; for an unusable frame nothing is published."""
        if isinstance(outcome, StepFailure):
            self.refuse(outcome.error)
            return
        detections, decision, _ = self._publishers
        detections.publish(detections_message(waiting.header, outcome.detections, labels))
        decision.publish(decision_message(waiting.header, outcome.decision))
        age_ms = (self._node.get_clock().now().nanoseconds - outcome.stamp_ns) / 1e6
        self.health.saw_answer(waiting.received_s, age_ms, outcome.decision)

    def anticipate(
        self, waiting: Waiting, detect: Callable[[], Detections], labels: tuple[str, ...]
    ) -> None:
        """
        Publish what the forecast says of the next image, before that comes.

        Nothing is computed while nobody subscribes, nobody knows when that image is due, or it
        should have come.

        :param detect: on the forecast.
        """
        stamp_ns = waiting.frame.stamp_ns
        due_ns = self._next_stamp.after(stamp_ns)
        publisher = self._publishers[2]
        if due_ns is None or not publisher.get_subscription_count():
            return
        if time.monotonic() - waiting.received_s > (due_ns - stamp_ns) / 1e9:
            return  # the next image should be here by now
        header = Header(stamp=from_ns(due_ns), frame_id=waiting.header.frame_id)
        publisher.publish(detections_message(header, detect(), labels))

    def refuse(self, error: Exception) -> None:
        """Count an unusable image and say so: the first at once, then every few seconds."""
        self.health.saw_error(error)
        more = self._complaints.due()
        if more is not None:
            self._node.get_logger().error(
                f'{self.topics.image}: image not used: {line(error)}{more}')

    def publishers_in_graph(self) -> int:
        """Count the publishers of the image topic."""
        return self._node.count_publishers(self.topics.image)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.health.saw_image()
        try:
            frame = frame_from_message(message, self._node.get_parameter('max_pixels').value)
            # A lossless one steps in the order in which images came, whatever they take.
            large = not self._lossless and is_large(message)
        except Exception as error:  # whatever a message holds, the others are to be heard
            self.refuse(error)
            return
        self._mailbox.put(self.topics.image, Waiting(
            self._counted(frame), message.header, time.monotonic(), large))

    def _counted(self, frame: Frame) -> Frame:
        """Count the image when it is decoded for the first time."""
        counts = [1]

        def load() -> NDArray[np.uint8]:
            if counts:
                counts.clear()
                self.health.counters.count('decoded')
            return frame.load()

        return replace(frame, load=load)

    def _on_offer(self, offer: Offer) -> None:
        """Say which type is taken where it is another than before."""
        former = self.health.offer
        self.health.saw_offer(offer)
        if offer.taken != former.taken:
            self._node.get_logger().warning(
                f'{self.topics.image}: its publishers send {offer.taken}, not {former.taken} as '
                'expected; subscribed to that'
            )

    def _on_incompatible_qos(self, event: Any) -> None:
        self.health.incompatible_qos = qos_policy_name_from_kind(event.last_policy_kind)
