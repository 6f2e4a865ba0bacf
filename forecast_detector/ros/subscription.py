"""An image subscription whose type and reliability follow the publishers'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
import time
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from ..topics import CameraTopics
from .conversions import to_ns
from .image_types import choose, COMPRESSED, KINDS, Offer, RAW
from .parameters import given
from .qos import image_qos, keep_all, subscription_events
from .throttle import Throttle

FOLLOW_S = 0.1
# For so long after a hand-over images may be known already; a bag may loop in that time.
CATCH_UP_S = 1.0
HISTORY = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH)


class ImageSubscription:
    """
    Receives the images of one topic.

    It starts as sensor data (best effort), which every publisher matches. Best effort loses
    large images even on one machine, though; so as soon as all publishers of the topic are
    reliable, it is reliable too, and it goes back when one is not. Lossless, or where a parameter
    overrides the reliability, it stays as it is.

    Its type is the one that the topic's name suggests, until the publishers in the graph send
    the other type of image only; then it is theirs.

    It is replaced by a subscription beside it, and ends when the new one brings its first image.
    What the new one then repeats, because the former was ahead of it, is known by its stamp.
    """

    def __init__(
        self,
        node: Node,
        topics: CameraTopics,
        lossless: bool,
        on_image: Callable[[Image | CompressedImage], None],
        on_incompatible_qos: Callable[[Any], None],
        on_offer: Callable[[Offer], None],
        on_arrival: Callable[[Mapping[str, Any]], None],
        group: CallbackGroup | None = None,
    ) -> None:
        """
        Subscribe.

        :param on_offer: called when the publishers' types change.
        :param on_arrival: called with what the middleware says of each image, known ones, too.
        :param group: of all callbacks; one at a time, and never while it is made or destroyed.
        """
        self._node = node
        self._topics = topics
        self._on_image = on_image
        self._on_incompatible_qos = on_incompatible_qos
        self._on_offer = on_offer
        self._on_arrival = on_arrival
        self._group = group
        self._offer = Offer(COMPRESSED if topics.compressed else RAW)
        self._lossless = lossless
        self._complaints = Throttle()
        name = f'qos_overrides.{topics.image}.subscription.reliability'
        self._is_fixed = lossless or node.has_parameter(name) or given(node, name) is not None
        self._is_reliable = False
        self._created = 0
        self._replaced: Any = None
        self._known_ns: int | None = None
        self._catch_up_until_s = 0.0
        self._subscription: Any = self._create()
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(
            FOLLOW_S, self._follow, callback_group=group, clock=self._clock)
        self._follow()

    def destroy(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._drop_all()

    def _create(self) -> Any:
        options = QoSOverridingOptions.with_default_policies()
        if not self._is_fixed:
            options = QoSOverridingOptions(HISTORY)
        profile = keep_all() if self._lossless else image_qos(self._is_reliable)
        self._created += 1
        return subscription_events(
            lambda **events: self._node.create_subscription(
                KINDS[self._offer.taken],
                self._topics.subscribed,
                partial(self._receive, self._created),
                profile,
                callback_group=self._group,
                qos_overriding_options=options,
                **events,
            ),
            self._on_incompatible_qos,
        )

    def _follow(self) -> None:
        """Replace the subscription if the publishers' type or reliability asks for another."""
        # Asked with the name as given: rclpy remaps it here too, whatever its docstring says.
        publishers = self._node.get_publishers_info_by_topic(self._topics.subscribed)
        self._follow_type(choose((p.topic_type for p in publishers), self._offer.taken))
        heard = [p for p in publishers if p.topic_type == self._offer.taken]
        if self._is_fixed or not heard:
            return
        wanted = all(p.qos_profile.reliability == ReliabilityPolicy.RELIABLE for p in heard)
        if wanted != self._is_reliable:
            self._drop_replaced()
            self._is_reliable, self._known_ns = wanted, None
            self._replaced, self._subscription = self._subscription, self._create()

    def _follow_type(self, offer: Offer) -> None:
        """Subscribe to the other type of image where that is the one that comes."""
        if offer == self._offer:
            return
        former, self._offer = self._offer, offer
        if offer.taken != former.taken:
            self._drop_all()  # first: a participant of Fast DDS knows a topic by one type
            self._is_reliable, self._known_ns = False, None
            try:
                self._subscription = self._create()
            except RuntimeError as error:  # another node of this process may hold the former one
                self._offer = former  # tried again in a moment
                self._complain(offer, error)
                return
        self._on_offer(offer)

    def _complain(self, offer: Offer, error: Exception) -> None:
        more = self._complaints.due()
        if more is not None:
            self._node.get_logger().error(
                f'{self._topics.image}: cannot subscribe to {offer.taken}: {error}{more}'
            )

    def _receive(
        self, number: int, message: Image | CompressedImage, info: Mapping[str, Any]
    ) -> None:
        """
        Take an image.

        :param number: of the subscription that brings it, in the order of their creation.
        """
        self._on_arrival(info)
        stamp_ns = to_ns(message.header.stamp)
        if number == self._created:
            if self._replaced is not None:
                self._drop_replaced()
                self._catch_up_until_s = time.monotonic() + CATCH_UP_S
            if self._is_known(stamp_ns):
                return
        elif self._replaced is None:
            return
        else:
            self._known_ns = stamp_ns
        self._on_image(message)

    def _is_known(self, stamp_ns: int) -> bool:
        """Say whether the former subscription brought this image; stamps of 0 tell nothing."""
        known_ns, self._known_ns = self._known_ns, None
        if not stamp_ns or not known_ns or stamp_ns > known_ns:
            return False
        if time.monotonic() > self._catch_up_until_s:
            return False
        if stamp_ns < known_ns:
            self._known_ns = known_ns  # the next one may be known, too
        return True

    def _drop_all(self) -> None:
        """Let go of the subscription and of the former one."""
        self._node.destroy_subscription(self._subscription)
        self._drop_replaced()

    def _drop_replaced(self) -> None:
        """Let go of the former subscription."""
        if self._replaced is not None:
            self._node.destroy_subscription(self._replaced)
            self._replaced = None
