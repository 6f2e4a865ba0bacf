"""What a configured node consists of: detector, mailbox, cameras and the worker between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
import time
import traceback

import numpy as np
from rclpy.lifecycle import LifecycleNode

from ..config import StreamConfig
from ..engine import StreamingDetector
from ..node import NodeConfig
from ..topics import camera_topics, CameraTopics
from ..types import Frame, StepFailure, StepResult
from . import camera_parameters
from .ages import Age
from .camera import Camera, Waiting
from .image_thread import ImageThread
from .image_types import choose, COMPRESSED, Offer, RAW
from .large import LargePictures
from .mailbox import Mailbox
from .names import resolved
from .overlay import Overlay, Painter, Scene
from .services import Services
from .throttle import Throttle
from .worker import Worker


def warm_up(detector: StreamingDetector) -> None:
    """
    Step a stream of two black images and forget it.

    The first steps are slow; a camera's first images should not pay for that. What is wrong with
    weights or device shows here, too.
    """
    # Of a usual shape: the inputs of others may not be prepared for yet.
    black = np.zeros((480, 640, 3), np.uint8)
    for stamp_ns in range(2):
        detector.step({'warm-up': Frame.from_array(black, stamp_ns)})
    detector.forget('warm-up')


def topics_of(node: LifecycleNode, image_topics: Sequence[str]) -> list[CameraTopics]:
    """
    Name the topics of every camera.

    :raises ValueError: if an image topic has no valid name, two cannot be kept apart by their
        results, or one is what the node itself publishes.
    """
    cameras = camera_topics(
        image_topics, lambda topic: resolved(node, 'image_topics', topic), node.get_namespace()
    )
    names = ['label_info', *(name for camera in cameras for name in camera.results)]
    own = {node.resolve_topic_name(name) for name in names}
    for camera in cameras:
        if camera.image in own:
            raise ValueError(
                f'image_topics: on {camera.image} this node publishes its own results; name the '
                f'topic on which the camera publishes, such as {camera.beside("image_raw")}'
            )
        if trouble := _offer(node, camera, of_itself=True).trouble(camera.image):
            raise ValueError(f'image_topics: {trouble}')
    return cameras


def why_no_images(node: LifecycleNode, cameras: Iterable[CameraTopics]) -> str:
    """Say which topic's publishers send no images; '' where all do, or have yet to come."""
    for camera in cameras:
        offer = _offer(node, camera)
        if not offer.is_heard:
            return f'image_topics: {offer.trouble(camera.image)}'
    return ''


def _offer(node: LifecycleNode, camera: CameraTopics, of_itself: bool = False) -> Offer:
    """
    Say what is published on an image topic.

    :param of_itself: by this node alone.
    """
    itself = node.get_namespace(), node.get_name()
    # Asked with the name as given: rclpy remaps it here too, whatever its docstring says.
    publishers = node.get_publishers_info_by_topic(camera.subscribed)
    types = [
        one.topic_type for one in publishers
        if not of_itself or (one.node_namespace, one.node_name) == itself
    ]
    return choose(types, COMPRESSED if camera.compressed else RAW)


class Pipeline:
    """
    Images in, results out, while it runs; one detector steps all cameras.

    :ivar cameras: by the full name of the image topic.
    """

    def __init__(
        self, node: LifecycleNode, detector: StreamingDetector, config: NodeConfig
    ) -> None:
        """
        Create mailbox and publishers.

        :raises ValueError: as :func:`topics_of`.
        """
        topics = topics_of(node, config.image_topics)
        self.detector = detector
        self.cameras: dict[str, Camera] = {}
        self._overlays: dict[str, Overlay] = {}
        self._services: dict[str, Services] = {}
        self._configs: Mapping[str, StreamConfig] = {}
        self._gone: list[str] = []
        self._is_running = False
        self._lossless = config.lossless
        self._node = node
        self._tracebacks, self._undrawn = Throttle(), Throttle()
        self._mailbox: Mailbox[Waiting] = Mailbox((), config.lossless)
        self._worker = Worker(
            self, self._mailbox, self._is_stale, self._deliver, self._fail,
            LargePictures(self._mailbox).put,
        )
        self._painter = Painter(self._overlays, self._not_drawn)
        self._images = ImageThread(node)
        try:
            self._add(topics)
        except Exception:
            self.destroy()
            raise
        camera_parameters.warn_of_strangers(node, [t.name for t in topics])

    def start(self) -> None:
        """Subscribe and step."""
        self._is_running = True
        self._worker.start()
        self._painter.start()
        self._images.start()
        try:
            for camera in self.cameras.values():
                camera.open()
        except Exception:
            self.stop()
            raise

    def stop(self) -> None:
        """Unsubscribe and let the step in progress end; the weights stay loaded."""
        self._is_running = False
        self._mailbox.close()  # first: a lossless one may hold the images' thread
        for camera in self.cameras.values():
            camera.close()
        self._images.stop()
        self._worker.stop()
        self._painter.stop()

    def destroy(self) -> None:
        """Stop and take the publishers out of the graph."""
        self.stop()
        for image in list(self.cameras):
            self._remove(image)

    def change(self, image_topics: Sequence[str]) -> None:
        """
        Let cameras come and go; those that stay are not disturbed.

        :raises ValueError: as :func:`topics_of`; nothing is changed then.
        :raises RuntimeError: of the middleware; the former cameras are there again then.
        """
        wanted = topics_of(self._node, image_topics)
        former = [camera.topics for camera in self.cameras.values()]
        try:
            self._have(wanted)
        except Exception:
            self._have(former)
            raise

    def _have(self, wanted: Sequence[CameraTopics]) -> None:
        """Let cameras go and come until it is these."""
        staying = {image for image, camera in self.cameras.items() if camera.topics in wanted}
        for image in self.cameras.keys() - staying:
            self._remove(image)
        coming = [topics for topics in wanted if topics.image not in staying]
        self._add(coming)
        for topics in coming if self._is_running else ():
            self.cameras[topics.image].enable()
            self.cameras[topics.image].open()

    def configure(self, shared: StreamConfig) -> None:
        """
        Take up the parameters; the next step goes by them.

        :param shared: of all cameras; each may have some of its own.
        """
        self.detector.config = shared
        for camera in self.cameras.values():
            camera_parameters.declare(self._node, camera.topics.name, takes_given=False)
        self._configs = {
            image: camera_parameters.config_of(self._node, camera.topics.name, shared)
            for image, camera in self.cameras.items()
        }

    def step(self, frames: Mapping[str, Frame]) -> dict[str, StepResult | StepFailure]:
        """Step the cameras that are still there; called by the worker."""
        gone, self._gone = self._gone, []
        for image in gone:
            if image not in self.cameras:
                self.detector.forget(image)
        there = {image: frame for image, frame in frames.items() if image in self.cameras}
        return self.detector.step(there, self._configs) if there else {}

    def reset(self, image: str | None = None) -> str:
        """Reset a camera's stream, or all; returns what is done."""
        self.detector.reset(image)
        return f'the next frame of {self._named(image)} is READ'

    def force_read(self, image: str | None = None) -> str:
        """READ the next frame of a camera, or of all; returns what is done."""
        self.detector.force_read(image)
        return f'the next frame of {self._named(image)} is READ, and the stream goes on'

    def _named(self, image: str | None) -> str:
        return ', '.join(self.cameras) if image is None else image

    def _add(self, topics: Iterable[CameraTopics]) -> None:
        actions = {'reset': self.reset, 'force_read': self.force_read}
        for one in topics:
            camera_parameters.declare(self._node, one.name)
            self._mailbox.add(one.image)
            self._painter.add(one.image)
            camera = Camera(self._node, one, self._mailbox, self._lossless, self._images)
            self.cameras[one.image], self._overlays[one.image] = camera, camera.overlay
            self._services[one.image] = Services(self._node, f'~/{one.name}', actions, one.image)
        self.configure(self.detector.config)

    def _remove(self, image: str) -> None:
        camera = self.cameras.pop(image)
        self._overlays.pop(image)
        if image in self._services:  # not where it failed to come
            self._services.pop(image).destroy()
        self._mailbox.remove(image)  # first, as when it stops
        camera.destroy()
        self._painter.remove(image)
        camera_parameters.undeclare(self._node, camera.topics.name)
        self._gone = [*self._gone, image]

    def _is_stale(self, image: str, waiting: Waiting) -> bool:
        camera = self.cameras.get(image)
        if camera is None:
            return True
        max_age_s, ages = self._node.get_parameter('max_age_s').value, camera.health.ages
        if not max_age_s:
            ages.clear()
            return False
        now_ns, stamp_ns = self._node.get_clock().now().nanoseconds, waiting.frame.stamp_ns
        ages.saw(Age(stamp_ns / 1e9, now_ns / 1e9, time.monotonic() - waiting.received_s))
        is_stale = bool(now_ns - stamp_ns > max_age_s * 1e9)
        if is_stale:
            camera.health.saw_stale()
        return is_stale

    def _deliver(self, image: str, waiting: Waiting, outcome: StepResult | StepFailure) -> None:
        camera = self.cameras.get(image)
        if camera is None:
            return
        camera.deliver(waiting, outcome, self.detector.labels)
        if isinstance(outcome, StepFailure):
            return
        if self._node.get_parameter('anticipate').value:
            config = self._configs.get(image)
            camera.anticipate(
                waiting, lambda: self.detector.anticipate(image, config), self.detector.labels
            )
        if camera.overlay.is_wanted:
            surprise = self.detector.surprise(image) if camera.overlay.wants_surprise else None
            self._painter.put(image, Scene(
                waiting.frame, waiting.header, outcome, self.detector.labels, surprise
            ))

    def _fail(self, taken: Mapping[str, Waiting], error: Exception) -> None:
        if not self._node.context.ok():
            return  # shutting down: publishing is over
        there = [self.cameras[image] for image in taken if image in self.cameras]
        for camera in there:
            camera.refuse(error)
        more = self._tracebacks.due() if there else None
        if more is not None:
            trace = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
            self._node.get_logger().error(f'{", ".join(taken)}: step failed{more}:\n{trace}')

    def _not_drawn(self, image: str, error: Exception) -> None:
        more = self._undrawn.due() if self._node.context.ok() else None
        if more is not None and image in self.cameras:
            self._node.get_logger().warning(f'{image}: overlay not drawn: {error}{more}')
