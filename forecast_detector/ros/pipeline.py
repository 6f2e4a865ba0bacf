"""What a configured node consists of: detector, mailbox, cameras and the worker between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
import time
import traceback

import numpy as np
from rclpy.lifecycle import LifecycleNode

from ..engine import StreamingDetector
from ..node import NodeConfig
from ..topics import camera_topics
from ..types import Frame, StepFailure, StepResult
from .ages import Age
from .camera import Camera, Waiting
from .mailbox import Mailbox
from .names import resolved
from .throttle import Throttle
from .worker import Worker


def warm_up(detector: StreamingDetector) -> None:
    """
    Step a stream of two black images and forget it.

    The first steps are slow; a camera's first images should not pay for that. What is wrong with
    weights or device shows here, too.
    """
    black = np.zeros((64, 64, 3), np.uint8)
    for stamp_ns in range(2):
        detector.step({'warm-up': Frame.from_array(black, stamp_ns)})
    detector.forget('warm-up')


class Pipeline:
    """Images in, results out, while it runs; one detector steps all cameras."""

    def __init__(
        self, node: LifecycleNode, detector: StreamingDetector, config: NodeConfig
    ) -> None:
        """
        Create mailbox and publishers.

        :raises ValueError: if an image topic has no valid name, or two cannot be kept apart by
            their results.
        """
        topics = camera_topics(config.image_topics, partial(resolved, node, 'image_topics'))
        self.detector = detector
        self.cameras: dict[str, Camera] = {}
        self._node = node
        self._tracebacks = Throttle()
        self._mailbox: Mailbox[Waiting] = Mailbox([t.image for t in topics], config.lossless)
        self._worker = Worker(detector, self._mailbox, self._is_stale, self._deliver, self._fail)
        try:
            for topic in topics:
                self.cameras[topic.image] = Camera(node, topic, self._mailbox, config.lossless)
        except Exception:
            self.destroy()
            raise

    def start(self) -> None:
        """Subscribe and step."""
        self._worker.start()
        try:
            for camera in self.cameras.values():
                camera.open()
        except Exception:
            self.stop()
            raise

    def stop(self) -> None:
        """Unsubscribe and let the step in progress end; the weights stay loaded."""
        for camera in self.cameras.values():
            camera.close()
        self._worker.stop()

    def destroy(self) -> None:
        """Stop and take the publishers out of the graph."""
        self.stop()
        for camera in self.cameras.values():
            camera.destroy()
        self.cameras = {}

    def _is_stale(self, camera: str, waiting: Waiting) -> bool:
        max_age_s = self._node.get_parameter('max_age_s').value
        ages = self.cameras[camera].health.ages
        if not max_age_s:
            ages.clear()
            return False
        now_ns, stamp_ns = self._node.get_clock().now().nanoseconds, waiting.frame.stamp_ns
        ages.saw(Age(stamp_ns / 1e9, now_ns / 1e9, time.monotonic() - waiting.received_s))
        return bool(now_ns - stamp_ns > max_age_s * 1e9)

    def _deliver(self, camera: str, waiting: Waiting, outcome: StepResult | StepFailure) -> None:
        self.cameras[camera].deliver(waiting, outcome, self.detector.labels)

    def _fail(self, taken: Mapping[str, Waiting], error: Exception) -> None:
        if not self._node.context.ok():
            return  # shutting down: publishing is over
        for camera in taken:
            self.cameras[camera].refuse(error)
        more = self._tracebacks.due()
        if more is not None:
            trace = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
            self._node.get_logger().error(f'{", ".join(taken)}: step failed{more}:\n{trace}')
