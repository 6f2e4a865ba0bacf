"""An image subscription whose reliability follows the publishers'."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from .parameters import given
from .qos import image_qos, keep_all, subscription_events
from .topics import CameraTopics

FOLLOW_S = 0.1
HISTORY = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH)


class ImageSubscription:
    """
    Receives the images of one topic.

    It starts as sensor data (best effort), which every publisher matches. Best effort loses
    large images even on one machine, though; so as soon as all publishers of the topic are
    reliable, it is reliable too, and it goes back when one is not. Lossless, or where a parameter
    overrides the reliability, it stays as it is.
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        lossless: bool,
        on_image: Callable[[Image | CompressedImage], None],
        on_incompatible_qos: Callable[[Any], None],
    ) -> None:
        """Subscribe."""
        self._node = node
        self._topics = topics
        self._on_image = on_image
        self._on_incompatible_qos = on_incompatible_qos
        name = f'qos_overrides.{topics.image}.subscription.reliability'
        self._is_fixed = lossless or node.has_parameter(name) or given(node, name) is not None
        self._is_reliable = False
        self._replaced: Any = None
        self._last_header: Any = None
        self._subscription = self._create(lossless)
        self._timer: Any = None
        if not self._is_fixed:
            self._clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = node.create_timer(FOLLOW_S, self._follow, clock=self._clock)
            self._follow()

    def destroy(self) -> None:
        """Unsubscribe."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)
        self._drop_replaced()

    def _create(self, lossless: bool = False) -> Any:
        options = QoSOverridingOptions.with_default_policies()
        if not self._is_fixed:
            options = QoSOverridingOptions(HISTORY)
        profile = keep_all() if lossless else image_qos(self._is_reliable)
        return subscription_events(
            lambda **events: self._node.create_subscription(
                CompressedImage if self._topics.compressed else Image,
                self._topics.subscribed,
                partial(self._receive, self._is_reliable),
                profile,
                qos_overriding_options=options,
                **events,
            ),
            self._on_incompatible_qos,
        )

    def _follow(self) -> None:
        """Replace the subscription if the publishers' reliability asks for another one."""
        publishers = self._node.get_publishers_info_by_topic(self._topics.image)
        if not publishers:
            return
        wanted = all(p.qos_profile.reliability == ReliabilityPolicy.RELIABLE for p in publishers)
        if wanted != self._is_reliable:
            self._drop_replaced()
            self._is_reliable = wanted
            self._replaced, self._subscription = self._subscription, self._create()

    def _receive(self, is_reliable: bool, message: Image | CompressedImage) -> None:
        """Take an image; while a replaced subscription is still there, the first to bring it."""
        if self._replaced is not None:
            if message.header == self._last_header:
                return
            self._last_header = message.header
            if is_reliable == self._is_reliable:
                self._drop_replaced()
        elif self._last_header is not None:
            last, self._last_header = self._last_header, None
            if message.header == last:
                return
        self._on_image(message)

    def _drop_replaced(self) -> None:
        """Let go of the former subscription: the new one receives."""
        if self._replaced is not None:
            self._node.destroy_subscription(self._replaced)
            self._replaced = None
