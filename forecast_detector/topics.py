"""Names of the topics: what is published beside an image topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .legible import legible

TRANSPORT = '/compressed'
# What the node publishes beside an image topic.
RESULTS = (
    'detections', 'decision', 'anticipated_detections',
    'overlay', 'overlay/compressed', 'surprise',
)


@dataclass(frozen=True)
class CameraTopics:
    """
    Topics of one camera.

    :ivar subscribed: image topic as the user gave it; ROS remaps it.
    :ivar image: the image topic's full name; it names the camera in logs and diagnostics.
    :ivar compressed: whether its name says that it carries ``sensor_msgs/CompressedImage``.
    :ivar name: of the camera, in names of parameters and services: the namespace of the image
        topic, ``front`` of ``/front/image_raw``; without one the topic itself.
    """

    subscribed: str
    image: str
    detections: str
    decision: str
    compressed: bool
    name: str

    @property
    def results(self) -> tuple[str, ...]:
        """Name all that the node publishes for this camera."""
        return tuple(self.beside(name) for name in RESULTS)

    def beside(self, name: str) -> str:
        """Name another topic beside the image topic."""
        return beside(self.image, name)


def camera_name(image: str, namespace: str = '/') -> str:
    """
    Name a camera by the full name of its image topic.

    :param namespace: of the node; it is left out.
    """
    prefix = namespace.rstrip('/') + '/'
    base = image.removesuffix(TRANSPORT)
    inner = base.removeprefix(prefix) if base.startswith(prefix) else base.lstrip('/')
    return inner.rpartition('/')[0] or inner


def beside(image_topic: str, name: str) -> str:
    """
    Name a topic beside an image topic: its last token is replaced.

    ``/camera/image_raw`` and ``/camera/image_raw/compressed`` both give ``/camera/NAME``. Only the
    name counts, not the type of what comes.
    """
    base = image_topic.removesuffix(TRANSPORT)
    return f'{base.rpartition("/")[0]}/{name}' if '/' in base else name


def camera_topics(
    image_topics: Sequence[str], resolve: Callable[[str], str] = str, namespace: str = '/'
) -> list[CameraTopics]:
    """
    Name every camera's topics.

    :param resolve: expands and remaps a topic name.
    :param namespace: of the node.
    :raises ValueError: for no topic, an empty name, one named twice, or two that would publish on
        the same names.
    """
    if not image_topics or not all(topic.strip() for topic in image_topics):
        raise ValueError(
            f'image_topics: {legible(list(image_topics))} names no topic; expected at least one, '
            "such as ['/camera/image_raw']"
        )
    cameras: dict[str, CameraTopics] = {}
    for topic in image_topics:
        image = resolve(topic)
        detections = beside(image, 'detections')
        other = cameras.get(detections)
        if other and other.image == image:
            raise ValueError(f'image_topics: {image} is named twice; name each camera once')
        if other:
            raise ValueError(
                f'image_topics: {other.image} and {image} would both publish {detections}; '
                'give each camera a namespace of its own, or remap one of them'
            )
        cameras[detections] = CameraTopics(
            topic, image, detections, beside(image, 'decision'), image.endswith(TRANSPORT),
            camera_name(image, namespace),
        )
    return list(cameras.values())
