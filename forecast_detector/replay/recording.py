"""The bag to be replayed: its cameras, and the truth beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..bags import BagError, BagReader
from ..bags.reader import IMAGE_TYPES
from ..data.base import Clip
from ..data.rosbag import choose_truth_topic, RosbagClip, truth_candidates
from ..data.views import JudgedClip
from ..topics import beside, camera_topics, CameraTopics


@dataclass(frozen=True)
class Recording:
    """
    A bag and what is replayed of it.

    :ivar cameras: image topic to the topics beside it.
    :ivar clips: image topic to its images and their truth.
    :ivar period_ns: length of one turn where the bag is looped, of recorded time.
    :ivar doubts: what was asked for and is odd, in words.
    :ivar references: image topic to its images with what stands in the truth's place, if that
        is to be judged by.
    """

    path: Path
    cameras: dict[str, CameraTopics]
    clips: dict[str, RosbagClip]
    period_ns: int
    doubts: tuple[str, ...] = ()
    references: Mapping[str, JudgedClip] = field(default_factory=dict)

    def judged(self, topic: str) -> Clip:
        """Give the images of a topic with what they are judged by."""
        return self.references.get(topic, self.clips[topic])

    def __len__(self) -> int:
        """Return the number of images of one turn."""
        return sum(len(clip) for clip in self.clips.values())


def open_recording(
    path: str | Path, labels: Sequence[str], image_topics: Sequence[str] = (),
    truth_topics: Sequence[str] = (), truth: bool = True,
) -> Recording:
    """
    Read a bag through.

    :param labels: the weights' class names.
    :param image_topics: one a camera; none takes the only one of the bag.
    :param truth_topics: see :func:`choose_truth_topics`.
    :param truth: False passes the truth over.
    :raises BagError: if the bag or a topic cannot be used, or it is not clear which is meant.
    :raises ValueError: if the truth has classes foreign to the weights.
    """
    path = Path(path)
    with BagReader(path) as bag:
        wanted = list(dict.fromkeys(image_topics)) or [bag.image_topic()]
        wanted = [bag.image_topic(topic) for topic in wanted]
        chosen = choose_truth_topics(bag, wanted, truth_topics) if truth else {}
        first_ns, end_ns = bag.span_ns()
        doubts = _doubts(chosen, bag.of_type(*IMAGE_TYPES))
    cameras = {topics.image: topics for topics in camera_topics(wanted)}
    clips = {
        topic: RosbagClip(path, topic, chosen.get(topic, ''), labels) for topic in wanted
    }
    step_ns = max(round(1e9 / clip.fps) for clip in clips.values())
    return Recording(path, cameras, clips, end_ns - first_ns + step_ns, doubts)


def _doubts(chosen: dict[str, str], image_topics: Sequence[str]) -> tuple[str, ...]:
    """Name each truth that lies beside another camera than the one it is taken for."""
    return tuple(
        f'{truth} is taken for the truth of {camera}, and lies beside {other}; was another meant?'
        for camera, truth in chosen.items() for other in image_topics
        if truth and _folder(truth) == _folder(beside(other, 'truth'))
        and _folder(truth) != _folder(beside(camera, 'truth'))
    )


def _folder(topic: str) -> str:
    return topic.rpartition('/')[0]


def choose_truth_topics(
    bag: BagReader, cameras: Sequence[str], wanted: Sequence[str] = ()
) -> dict[str, str]:
    """
    Choose the truth of each camera; '' where it has none.

    Named topics go to the cameras in the order given, or, if there are fewer, to the camera that
    they lie beside. Otherwise a camera's truth is the candidate (see
    :func:`~forecast_detector.data.rosbag.truth_candidates`) beside it; for a single camera it may
    lie anywhere.

    :param cameras: image topics.
    :raises BagError: if a named one cannot be used, or it is not clear which is meant; lists the
        topics.
    """
    for topic in wanted:
        choose_truth_topic(bag, topic)
    if len(wanted) == len(cameras):
        return dict(zip(cameras, wanted))
    candidates = list(wanted) or truth_candidates(bag)
    chosen = {}
    for camera in cameras:
        fits = [t for t in candidates if _folder(t) == _folder(beside(camera, 'truth'))]
        if len(cameras) == 1:
            fits = fits or candidates
        if len(fits) > 1:
            raise BagError(
                f'{bag.path}: several topics could be the truth of {camera}, {fits}; name one '
                f'with --truth-topic'
            )
        chosen[camera] = fits[0] if fits else ''
    unused = [topic for topic in candidates if topic not in chosen.values()]
    if unused and (wanted or not any(chosen.values())):
        raise BagError(
            f'{bag.path}: it is not clear which camera of {list(cameras)} {unused} is the truth '
            f'of; name a truth topic for each camera, in their order'
        )
    return chosen
