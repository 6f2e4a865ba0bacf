"""Quality of service: sensor data in, reliable out (REP 2003)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

try:  # Iron and later
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

SENSOR_DATA_DEPTH = 5
RESULT_DEPTH = 10

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


def keep_all() -> QoSProfile:
    """Build the profile that loses nothing: reliable, keep all."""
    return QoSProfile(history=HistoryPolicy.KEEP_ALL, reliability=ReliabilityPolicy.RELIABLE)


def image_qos(is_reliable: bool) -> QoSProfile:
    """Build the profile of image subscriptions: sensor data, or the same but reliable."""
    reliability = ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT
    return QoSProfile(depth=SENSOR_DATA_DEPTH, reliability=reliability)


def result_qos(lossless: bool) -> QoSProfile:
    """Build the profile of detections and decisions: reliable."""
    return keep_all() if lossless else QoSProfile(depth=RESULT_DEPTH)


def subscription_events(
    create: Callable[..., Any], on_incompatible_qos: Callable[[Any], None]
) -> Any:
    """
    Create a subscription that tells of incompatible publishers where the middleware can.

    :param create: takes the keyword arguments that a subscription is created with.
    """
    events = SubscriptionEventCallbacks(incompatible_qos=on_incompatible_qos)
    try:
        return create(event_callbacks=events)
    except UnsupportedEventTypeError:
        return create()
